"""How fast to send when nobody says what the limit is: the 429s are the measurement.

::

    open ──429──▶ starting ──429s──▶ known ◀──429s, by a probe──┐
                     └─ doubles          └─ climbs, lingers, doubles past the limit ─┘

*Starting* doubles the rate as TCP's slow start does. A 429 begins a *probe*: the rate is kept for
a moment, and what was sent in it is compared with what was refused of it, so that one step finds
a limit that has dropped far. *Known* follows CUBIC (RFC 9438) around the last limit, and doubles
again once it is clearly past it. The constants were chosen on simulated token buckets, and judged
on others: see ``tests/rules/test_pace.py`` and ``python -m benchmarks goodput``.
"""

import math

import attrs

START_RATE = 25.0
"""Requests a second to begin with: the lowest limit that Stripe documents."""
DOUBLINGS = 1.3
"""Doublings a second, in slow start and past the last limit."""
SLOWEST = 0.5
"""The rate never falls below this, so that a limit that is lifted is noticed."""
HOLD = 0.1
"""Seconds of silence after a cut: they fill the bucket, also for others on the same key."""

PROBE_SECONDS = 0.1
PROBE_REQUESTS = 4
"""A probe lasts for both: shorter ones measure noise."""
PROBE_PATIENCE = 1.0
"""Seconds that a probe waits for its answers."""
PROBE_SLOWDOWN = 0.5
"""The rate is multiplied by this while a probe waits for its answers."""
FEW = 2
"""Fewer refusals than this in slow start are chance: they do not end it."""
ENOUGH = 4
"""Requests from which a share is worth something."""
MOSTLY_REFUSED = 0.4
"""When less than this share was accepted, the share is the limit."""
PARTLY_REFUSED = 0.6
"""The same for a probe that follows another within REPEATED seconds."""
REPEATED = 0.6
LEAST_SHARE = 0.2
"""One probe never cuts the rate below this share of it."""
UNDER = 0.95
"""A measured limit is approached from this share of it."""
CUT = 0.89
"""A limit that was just touched. CUBIC's beta for TCP is 0.7; a bucket with a burst forgives."""
FIRST_CUT = 0.7
"""Slow start overshoots by up to a factor of two, so its end is cut deeper."""
CLEARLY_PAST = 1.12
"""Beyond this multiple of the last limit without a 429, that limit is a thing of the past."""
SCALE = 0.8
"""CUBIC's C for a limit of 100/s; it is proportional to the limit (RFC 9438 has 0.4)."""
LEAST_SCALE = 0.25 * SCALE


def cubic(good: float, low: float, seconds: float, scale: float = 0.4) -> float:
    """Return CUBIC's rate, *seconds* after a cut from *good* to *low*.

    It climbs back to *good* fast, lingers there, then probes beyond it ever faster
    (RFC 9438, section 4.2).
    """
    plateau = math.cbrt((good - low) / scale)
    offset = seconds - plateau
    return scale * offset * offset * offset + good


@attrs.define
class Probe:
    """What was sent in a short window after a 429, and what of it was refused."""

    began: float
    """When the request was sent that met the first 429."""
    ends: float
    """When it stops counting what is sent."""
    rate: float
    """Requests a second in the window."""
    sent: int
    answered: int = 1
    refused: int = 1

    def covers(self, sent_at: float) -> bool:
        """Return whether a request that was sent at *sent_at* belongs to it."""
        return self.began <= sent_at < self.ends

    @property
    def requests(self) -> int:
        """Requests it covers: those sent, or those answered where a slot went unused."""
        return max(self.sent, self.answered, 1)

    @property
    def share(self) -> float:
        """The share of its requests that was accepted."""
        return 1 - self.refused / self.requests


class Learner:
    """The rate of one operation, from 0.5 requests a second to the ceiling.

    Args:
        ceiling: Most requests a second; infinity for none.
    """

    __slots__ = (
        "_base",
        "_ceiling",
        "_cut_at",
        "_grown",
        "_is_confirmed",
        "_jobs",
        "is_open",
        "limit",
        "probe",
        "rate",
    )

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self.rate = ceiling
        """Requests a second; infinite while open and without a ceiling."""
        self.limit: float | None = None
        """The limit as last seen; None before it was met."""
        self.is_open = True
        """Whether no 429 was met and no job is learning."""
        self.probe: Probe | None = None
        self._base = ceiling  # the rate from which it grows
        self._grown = 0.0  # seconds of growth since then, those with too little traffic left out
        self._is_confirmed = False  # whether the limit was met from both sides
        self._cut_at = -math.inf  # requests sent before this say nothing about the rate since
        self._jobs = 0  # jobs that have started and not stopped

    def start(self, rate: float | None) -> None:
        """Begin slow start, if still open; each start needs a :meth:`stop`.

        Args:
            rate: Requests a second; None takes half of the ceiling, or START_RATE without one.
        """
        self._jobs += 1
        if self.is_open:
            if rate is None:
                rate = START_RATE if math.isinf(self._ceiling) else self._ceiling / 2
            self.is_open = False
            self._restart_from(rate)

    def stop(self) -> None:
        """After the last stop, a rate that met no 429 is open again."""
        self._jobs -= 1
        if not self._jobs and math.isinf(self._cut_at):
            self.is_open = True
            self.rate = self._ceiling

    def grow(self, seconds: float, accepted: float) -> None:
        """Grow by *seconds* in which the rate was used.

        Args:
            seconds: Duration of the window.
            accepted: Requests a second that were accepted in it. As in TCP, only what came back
                lets the rate double: slow answers make for a slow start.
        """
        if self.is_open or self.probe is not None:
            return
        self._grown += seconds
        limit, doubled = self.limit, self.rate * 2.0 ** (seconds * DOUBLINGS)
        if limit is None or (self._is_confirmed and self.rate >= CLEARLY_PAST * limit):
            self._set(min(doubled, max(2 * accepted, self.rate)))
        else:
            scale = max(SCALE * limit / 100, LEAST_SCALE)
            climbed = cubic(limit, self._base, self._grown, scale)
            self._set(max(self.rate, min(climbed, doubled)))

    def most_within(self, seconds: float) -> float:
        """Return how many requests fit into *seconds* if the rate doubles all along."""
        if self.is_open or self.rate >= self._ceiling:
            return self.rate * seconds
        speed = DOUBLINGS * math.log(2)
        grown = self.rate * math.expm1(min(speed * seconds, 60.0)) / speed
        return min(grown, self._ceiling * seconds)

    def close(self, now: float, served: float) -> None:
        """Begin to pace an open operation that met a 429, at what was *served* a second so far."""
        self.is_open = False
        self._restart_from(max(FIRST_CUT * served, START_RATE))
        self._cut_at = now

    def refused(self, sent_at: float, now: float) -> None:
        """Begin a probe, because a request that was sent at *sent_at* met a 429."""
        if sent_at > self._cut_at:
            ends = max(now, sent_at + max(PROBE_SECONDS, PROBE_REQUESTS / self.rate))
            under_way = 1 + int((now - sent_at) * self.rate)  # evenly spaced
            self.probe = Probe(sent_at, ends, self.rate, under_way)

    def slow_down(self, now: float) -> bool:
        """Send less once the window of the probe is over; return whether its time is up as well."""
        probe = self.probe
        if probe is None or now < probe.ends:
            return False
        self._set(probe.rate * PROBE_SLOWDOWN)
        return now >= probe.ends + PROBE_PATIENCE

    def answered(self, sent_at: float, now: float, *, limited: bool) -> bool:
        """Note an answer during a probe; return whether the probe has all that it waits for."""
        probe = self.probe
        assert probe is not None  # noqa: S101 - asked during a probe only
        if sent_at >= probe.ends:
            return True
        if probe.covers(sent_at):
            probe.answered += 1
            probe.refused += limited
        return probe.answered >= probe.sent and now >= probe.ends

    def conclude(self, now: float) -> bool:
        """End the probe; return whether the rate was cut, so that the bucket needs a rest."""
        probe, self.probe = self.probe, None
        assert probe is not None  # noqa: S101 - there is one
        is_repeated = probe.began - self._cut_at < REPEATED and probe.share < PARTLY_REFUSED
        is_first, self._cut_at = self.limit is None, now
        if is_first and probe.refused < FEW:
            self._restart_from(probe.rate * CUT)
            return False
        is_measured = probe.refused >= FEW and probe.requests >= ENOUGH
        if is_measured and (is_repeated or probe.share < MOSTLY_REFUSED):
            self.limit = max(probe.rate * max(probe.share, LEAST_SHARE), SLOWEST)
            self._restart_from(self.limit * UNDER)
        elif is_first:
            self.limit = probe.rate * FIRST_CUT
            self._restart_from(self.limit)
        else:
            self.limit = probe.rate
            self._restart_from(probe.rate * CUT)
        self._is_confirmed = not is_first or (is_measured and probe.share < MOSTLY_REFUSED)
        return True

    def _restart_from(self, rate: float) -> None:
        self._set(rate)
        self._base, self._grown = self.rate, 0.0

    def _set(self, rate: float) -> None:
        self.rate = min(max(rate, SLOWEST), self._ceiling)
