"""The counters of a run."""

from collections import Counter

from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._report import Progress, Report


class Tally:
    """The counters behind :class:`Progress` and :class:`Report`."""

    WINDOW = 10.0
    """Seconds over which the present rate is taken."""

    def __init__(self, found: Counter[tuple[str, str | None]], started: float) -> None:
        """Begin a run.

        Args:
            found: Accounts in the journal by status (``open`` and ``accepted`` too) and reason.
            started: A monotonic time in seconds.
        """
        self.counts = Counter({key: n for key, n in found.items() if key[0] in _ENDS})
        self.done = self.resumed = sum(self.counts.values())
        self.unfinished = sum(found.values()) - self.done
        self.failed = sum(n for key, n in self.counts.items() if key[0] == "failed")
        self.requests = self.retries = self.rate_limited = self.replays = self.in_flight = 0
        self.arriving = 0
        """Accounts that were read, and that the journal has not looked up yet."""
        self.source_is_read = False
        self._started = started
        self._marks = [(started, self.done), (started, self.done)]

    def admit(self) -> None:
        """Count an account that is new to the job."""
        self.unfinished += 1

    def reopen(self, status: str, reason: str | None) -> None:
        """Take an outcome of an earlier run back, if it is one: its account is worked on again."""
        if status in _ENDS:
            self.counts[status, reason] -= 1
            self.done -= 1
            self.resumed -= 1
            self.failed -= status == "failed"
            self.unfinished += 1

    def send(self, *, is_retry: bool) -> None:
        """Count a request of the operation."""
        self.requests += 1
        self.retries += is_retry

    def finish(self, outcome: Outcome, now: float) -> None:
        """Count an outcome."""
        self.counts[outcome.status.value, outcome.reason] += 1
        self.done += 1
        self.unfinished -= 1
        self.failed += outcome.status is OutcomeStatus.FAILED
        if now - self._marks[1][0] >= self.WINDOW / 2:
            self._marks = [self._marks[1], (now, self.done)]

    def progress(self, now: float, *, limit: float | None, total: int | None) -> Progress:
        """Return how far the run is."""
        if total is None and self.source_is_read and not self.arriving:
            total = self.done + self.unfinished
        since, then = self._marks[0]
        rate = (self.done - then) / (now - since) if now > since else 0.0
        left = None if total is None else max(total - self.done, 0)
        return Progress(
            done=self.done,
            failed=self.failed,
            in_flight=self.in_flight,
            waiting=self.unfinished,
            total=total,
            rate=rate,
            limit=limit,
            eta=left / rate if left is not None and rate > 0 else None,
        )

    def report(self, now: float, verb: Verb, limit: float | None) -> Report:
        """Return what was done until *now*."""
        return Report(
            operation=verb.name,
            past_tense=verb.past_tense,
            counts={key: n for key, n in self.counts.items() if n},
            unfinished=self.unfinished,
            resumed=self.resumed,
            requests=self.requests,
            retries=self.retries,
            rate_limited=self.rate_limited,
            replays=self.replays,
            elapsed=now - self._started,
            limit=limit,
        )


_ENDS = frozenset(status.value for status in OutcomeStatus)
