"""The counters of a run."""

from collections import Counter
from datetime import UTC, datetime

from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.brake import Brake
from fcasync.bulk._plan.task import Row
from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._report import Progress, Report
from fcasync.bulk._work.pulse import Pulse

_ENDS = frozenset(status.value for status in OutcomeStatus)


class Tally:
    """The counters behind :class:`Progress` and :class:`Report`."""

    def __init__(
        self,
        found: Counter[tuple[str, str | None]],
        started: float,
        reopens: frozenset[str] = frozenset(),
        tenants: Counter[tuple[str, str]] | None = None,
    ) -> None:
        """Begin a run.

        Args:
            found: Accounts in the journal by status (``open`` and ``settling`` too) and reason.
            started: A monotonic time in seconds.
            reopens: Statuses of finished accounts that this run takes up again.
            tenants: The same accounts by connected account and status.
        """
        self.counts = Counter({key: n for key, n in found.items() if key[0] in _ENDS})
        self.earlier: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            self.earlier[status] += count
        self._reopens = reopens
        self.unfinished = sum(found.values()) - self.counts.total()
        self.requests = self.retries = self.rate_limited = self.replays = self.in_flight = 0
        self.arriving = 0
        """Accounts that were read, and that the journal has not looked up yet."""
        self._known = sum(found.values())  # accounts in the journal, as far as it has said so
        self.finished_at: int | None = None
        """The server's Unix time at which nothing was left to do."""
        self.found_finished = False
        """Whether that was before this run."""
        found_by_tenant = tenants or Counter[tuple[str, str]]()
        self.tenants = Counter({key: n for key, n in found_by_tenant.items() if key[1] in _ENDS})
        """Accounts with an outcome by connected account, if the job is about many, and status."""
        self.barred: list[str] = []
        """Connected accounts that have taken their access away."""
        self._source_is_read = False
        self._started = started
        self._pulse = Pulse(started)
        self.brake = Brake()
        """What this run hears of the server, whichever account it asks for."""
        # What may be taken up again does not count as done, so that "done" never shrinks.
        self._set_aside = Counter({key: n for key, n in self.counts.items() if key[0] in reopens})

    @property
    def done(self) -> int:
        """Accounts with an outcome that is not to be taken up again."""
        return self.counts.total() - self._set_aside.total()

    @property
    def is_anything_left(self) -> bool:
        """Whether a later run of the same call would take up accounts that have an outcome."""
        return self.count(*(self._reopens - {"failed"})) > 0

    def end_of_source(self) -> None:
        """Take note that there are no more accounts; what was not named stays as it was."""
        self._source_is_read = True
        self._set_aside.clear()

    def arrive(self) -> None:
        """Take note that an account was read: nobody knows any more that the job is finished."""
        self.arriving += 1
        self.found_finished, self.finished_at = False, None

    def look_up(self, *, is_new: bool) -> None:
        """Take note that the journal has looked an account up, and whether it is new to the job."""
        self.arriving -= 1
        self.unfinished += is_new
        self._known += is_new

    def close(self, rows: int) -> None:
        """Take note that the journal was closed with so many accounts in it."""
        # It has admitted the last that were read, though nobody was there any more to hear of it.
        self.unfinished += rows - self._known
        self._known, self.arriving = rows, 0

    def reopen(self, row: Row) -> None:
        """Take an outcome of an earlier run back, if it is one: its account is worked on again."""
        status, reason = row.status, row.reason
        if status in _ENDS:
            if row.stripe_account:
                self.tenants[row.stripe_account, status] -= 1
            self.counts[status, reason] -= 1
            self.earlier[status] -= 1
            self._set_aside[status, reason] = max(self._set_aside[status, reason] - 1, 0)
            self.unfinished += 1

    def send(self, now: float, *, is_retry: bool) -> None:
        """Count a request of the operation."""
        self.requests += 1
        if is_retry:
            self.retries += 1
        self._pulse.beat(now)

    def finish(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.counts[outcome.status.value, outcome.reason] += 1
        if outcome.stripe_account:
            self.tenants[outcome.stripe_account, outcome.status.value] += 1
        self.unfinished -= 1

    def count(self, *statuses: str) -> int:
        """Return how many accounts have ended in one of *statuses*; any thread may ask."""
        return sum(n for (status, _), n in list(self.counts.items()) if status in statuses)

    def progress(
        self,
        now: float,
        *,
        limit: float | None,
        ceiling: float | None,
        total: int | None,
        settling: int,
    ) -> Progress:
        """Return how far the run has come.

        Args:
            now: A monotonic time in seconds.
            limit: The rate limit as learnt, in requests a second.
            ceiling: The rate limit as given.
            total: Accounts in the source, if it has a length.
            settling: Accounts that wait for their banks.
        """
        if total is None and self._source_is_read and not self.arriving:
            total = self.done + self.unfinished
        left = None if total is None else max(total - self.done, 0)
        return Progress(
            done=self.done,
            failed=self.count("failed"),
            skipped=self.count("skipped"),
            deferred=self.count("deferred"),
            requests=self.requests,
            in_flight=self.in_flight,
            waiting=self.unfinished,
            settling=settling,
            outage=self.brake.outage(now),
            total=total,
            rate=self._pulse.rate(now),
            limit=limit,
            eta=_eta(left, settling, [rate for rate in (limit, ceiling) if rate]),
        )

    def report(
        self, now: float, verb: Verb, limit: float | None, reads: int, *, dry_run: bool
    ) -> Report:
        """Return what was done until *now*, with so many *reads*."""
        at = self.finished_at
        return Report(
            operation=verb.name,
            past_tense=verb.past_tense,
            counts={key: n for key, n in self.counts.items() if n},
            earlier_by_status=dict(+self.earlier),
            unfinished=self.unfinished + self.arriving,
            requests=self.requests,
            reads=reads,
            retries=self.retries,
            rate_limited=self.rate_limited,
            replays=self.replays,
            elapsed=now - self._started,
            limit=limit,
            outage=self.brake.outage(now),
            finished_at=None if at is None else datetime.fromtimestamp(at, UTC),
            found_finished=self.found_finished,
            tenants=_by_tenant(self.tenants),
            dry_run=dry_run,
            barred=tuple(self.barred),
        )


def _eta(left: int | None, settling: int, rates: list[float]) -> float | None:
    if left is None or not (rates or left == 0):
        return None
    return max(left - settling, 0) / min(rates) if left else 0.0


def _by_tenant(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (tenant, status), count in sorted(counts.items()):
        if count:
            found.setdefault(tenant, {})[status] = count
    return found
