"""What stands beside a bar, and what of it there is room for."""

import attrs

from fcasync.bulk._report import Progress, duration

LONGEST_BAR, SHORTEST_BAR = 40, 8
"""Characters; of a narrow terminal the bar gives up its length first."""
CLOCK = 7
"""Characters of the elapsed time."""


@attrs.frozen(kw_only=True)
class Row:
    """The texts of one line, and the length of its bar; none of them has to be cut."""

    name: str
    bar: int
    count: str
    facts: str


def count(now: Progress) -> str:
    """Return how much is done of how much."""
    return f"{now.done} of {'?' if now.total is None else now.total}"


def facts(now: Progress) -> str:
    """Return what stands behind the bar."""
    return ", ".join(text for _, text in _ranked(now))


def fitted(name: str, now: Progress, width: int) -> Row:
    """Return what of a line fits into *width* characters.

    What is left out is left out whole, so that no number is ever cut: first most of the bar, then
    the name, then one fact after another, the least important first.

    Args:
        name: The job's.
        now: Its figures.
        width: Characters of the line, those of the clock at its end included.
    """
    shown, done = _ranked(now), count(now)

    def row(name: str) -> Row:
        facts = ", ".join(text for _, text in shown)
        taken = sum(len(text) for text in (name, done, facts)) + CLOCK + 4
        return Row(name=name, bar=min(width - taken, LONGEST_BAR), count=done, facts=facts)

    if (found := row(name)).bar >= SHORTEST_BAR:
        return found
    while (found := row("")).bar < SHORTEST_BAR and shown:
        shown.remove(max(shown))
    # What the last fact has left may be enough for the name.
    named = row(name)
    return named if named.bar >= SHORTEST_BAR else attrs.evolve(found, bar=max(found.bar, 1))


def _ranked(now: Progress) -> list[tuple[int, str]]:
    """Return what is to be said, in its order, each behind its rank: 0 is the most important."""
    found = [
        (1, now.outage),
        (5, f"sent {now.requests}"),
        (7, f"{now.rate:.0f} requests/s"),
        (8, None if now.limit is None else f"limit {now.limit:.0f}/s"),
        (2, now.settling and f"waiting for banks {now.settling}"),
        (4, now.skipped and f"{now.skipped} skipped"),
        (3, now.deferred and f"{now.deferred} deferred"),
        (0, now.failed and f"{now.failed} failed"),
        (6, now.eta and f"{duration(now.eta)} left"),
    ]
    return [(rank, text) for rank, text in found if text]
