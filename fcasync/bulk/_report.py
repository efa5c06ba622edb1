"""What a run has done: figures while it lasts, and a report at its end."""

from collections import Counter
from datetime import timedelta
from typing import Any

import attrs

from fcasync._facts import html
from fcasync.bulk._outcome import OutcomeStatus


@attrs.frozen(kw_only=True)
class Progress:
    """How far a run has come."""

    done: int
    """Accounts with an outcome, those of earlier runs included."""
    failed: int
    """How many of those have failed."""
    in_flight: int
    """Requests in flight."""
    waiting: int
    """Accounts that were read from the source and have no outcome yet."""
    total: int | None
    """Accounts in the source; None while unknown: the source has no length and no end yet."""
    rate: float
    """Outcomes a second, over the last ten seconds or so."""
    limit: float | None
    """The rate limit as learnt so far, in requests a second; None before the first 429."""
    eta: float | None
    """Seconds until the end at this rate; None if unknown."""

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        facts = [f"{self.done}{of} done", f"{self.failed} failed", f"{self.in_flight} in flight"]
        facts.append(f"{self.rate:.1f}/s")
        if self.limit is not None:
            facts.append(f"limit about {self.limit:.0f}/s")
        if self.eta is not None:
            facts.append(f"{duration(self.eta)} left")
        return ", ".join(facts)


@attrs.frozen(kw_only=True)
class Report:
    """What a job has done. Counts cover all its runs; the other figures only this one."""

    operation: str
    past_tense: str
    """The operation as the report says it: ``refreshed``."""
    counts: dict[tuple[str, str | None], int]
    """Accounts by status and reason."""
    unfinished: int
    """Accounts that were read from the source and have no outcome: the same call resumes them."""
    resumed: int
    """Accounts that an earlier run had finished."""
    requests: int
    """Requests of the operation, without those that only looked."""
    retries: int
    """Requests repeated after a failure; those repeated after a 429 are not counted here."""
    rate_limited: int
    """Answers with status 429."""
    replays: int
    """Requests that Stripe recognized by their key and answered without doing anything twice."""
    elapsed: float
    """Seconds."""
    limit: float | None
    """The rate limit as learnt, in requests a second; None if there were no 429s."""

    @property
    def total(self) -> int:
        """Accounts with an outcome."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Outcomes a second in this run."""
        return (self.total - self.resumed) / self.elapsed if self.elapsed else 0.0

    def by_status(self) -> dict[str, int]:
        """Return the number of accounts of each status, zeros included."""
        found: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            found[status] += count
        return {status.value: found[status.value] for status in OutcomeStatus}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        data = attrs.asdict(
            self, filter=lambda field, _: field.name not in ("counts", "past_tense")
        )
        reasons = {
            f"{status}: {reason}": count for (status, reason), count in self._reasons() if reason
        }
        return {**data, "total": self.total, "rate": self.rate} | {
            "by_status": self.by_status(),
            "by_reason": reasons,
        }

    def _reasons(self) -> list[tuple[tuple[str, str | None], int]]:
        return sorted(self.counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))

    def __str__(self) -> str:
        return "\n".join(f"{name:<13} {text}" for name, text in self._lines())

    def _repr_html_(self) -> str:
        return html.card(f"Bulk {self.operation}", self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        found = self.by_status()
        succeeded, failed = found.pop("succeeded"), found.pop("failed")
        of = f"{succeeded} of {self.total + self.unfinished} accounts"
        lines = [(self.past_tense, of + self._why("succeeded"))]
        lines += [(name, f"{count}{self._why(name)}") for name, count in found.items() if count]
        lines.append(("failed", f"{failed}{self._why('failed')}"))
        if self.unfinished:
            lines.append(("unfinished", f"{self.unfinished} (repeat the same call to resume)"))
        if self.resumed:
            lines.append(("resumed", f"{self.resumed} were finished by an earlier run"))
        return [
            *lines,
            ("requests", f"{self.requests} ({self.retries} retries, {self.replays} replays)"),
            ("elapsed", duration(self.elapsed, digits=1)),
            ("rate", f"{self.rate:.1f} accounts/s, {self._limit()}"),
        ]

    def _why(self, status: str) -> str:
        reasons = [f"{count} {why}" for (of, why), count in self._reasons() if of == status and why]
        return f" ({', '.join(reasons)})" if reasons else ""

    def _limit(self) -> str:
        if self.limit is None and not self.rate_limited:
            return "no 429s"
        about = "" if self.limit is None else f" about {self.limit:.0f} requests/s"
        return f"{self.rate_limited} 429s, rate limit{about or ' unknown'}"


def duration(seconds: float, digits: int = 0) -> str:
    """Return a time as people read it: ``7 s``, or ``1:02:05`` from a minute on."""
    return f"{seconds:.{digits}f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
