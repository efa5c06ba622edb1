"""What a sync has done."""

from collections import Counter
from typing import Any

import attrs

from fcasync._facts import html
from fcasync.bulk import Report
from fcasync.bulk._report import duration
from fcasync.mirror._outcome import SyncOutcome, SyncStatus


@attrs.frozen(kw_only=True)
class SyncReport:
    """What a sync has done."""

    counts: dict[tuple[str, str | None], int]
    """Accounts by status and reason."""
    new: int
    """Transactions that were added."""
    updated: int
    """Transactions that changed."""
    void: int
    """How many of both are void now."""
    elapsed: float
    """Seconds."""
    refreshed: Report | None = None
    """What became of the refreshes; None if none was asked for."""

    @property
    def total(self) -> int:
        """Accounts with an outcome."""
        return sum(self.counts.values())

    @property
    def synced(self) -> int:
        """Accounts that are up to date."""
        return self._count(SyncStatus.SYNCED)

    @property
    def skipped(self) -> int:
        """Accounts that were left as they are."""
        return self._count(SyncStatus.SKIPPED)

    @property
    def failed(self) -> int:
        """Accounts that failed."""
        return self._count(SyncStatus.FAILED)

    def _count(self, wanted: str) -> int:
        return sum(count for (status, _), count in self.counts.items() if status == wanted)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return {
            "total": self.total,
            "by_status": {status.value: self._count(status) for status in SyncStatus},
            "by_reason": {f"{of}: {why}": n for (of, why), n in self._reasons() if why},
            "new": self.new,
            "updated": self.updated,
            "void": self.void,
            "elapsed": self.elapsed,
            "refreshed": self.refreshed and self.refreshed.to_dict(),
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<13} {text}" for name, text in self._lines())

    def _repr_html_(self) -> str:
        return html.card("Mirror sync", self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        of = f"{self.synced} of {self.total} account{'' if self.total == 1 else 's'}"
        lines = [("synced", of + self._why(SyncStatus.SYNCED))]
        if self.skipped:
            lines.append(("skipped", f"{self.skipped}{self._why(SyncStatus.SKIPPED)}"))
        lines.append(("failed", f"{self.failed}{self._why(SyncStatus.FAILED)}"))
        changes = f"{self.new} new, {self.updated} updated, {self.void} of them void"
        lines += [("transactions", changes), ("elapsed", duration(self.elapsed, digits=1))]
        if self.refreshed is not None:
            lines += [("refresh", line) for line in str(self.refreshed).splitlines()[:-2]]
        return lines

    def _why(self, status: str) -> str:
        reasons = [f"{count} {why}" for (of, why), count in self._reasons() if of == status and why]
        return f" ({', '.join(reasons)})" if reasons else ""

    def _reasons(self) -> list[tuple[tuple[str, str | None], int]]:
        return sorted(self.counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))


class SyncTally:
    """Counts while a sync runs."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str | None]] = Counter()
        self._changes = Counter(new=0, updated=0, void=0)

    def add(self, outcome: SyncOutcome) -> None:
        """Count *outcome*."""
        self.counts[outcome.status.value, outcome.reason] += 1
        for name in self._changes:
            self._changes[name] += getattr(outcome, name)

    def count(self, wanted: str) -> int:
        """Return the number of accounts with a status."""
        counts = list(self.counts.items())
        return sum(count for (status, _), count in counts if status == wanted)

    def has_served(self) -> bool:
        """Return whether any account has ended otherwise than by a failure."""
        return any(status != SyncStatus.FAILED for status, _ in self.counts)

    def report(self, elapsed: float, refreshed: Report | None) -> SyncReport:
        """Return the report so far."""
        return SyncReport(
            counts=dict(self.counts), elapsed=elapsed, refreshed=refreshed, **self._changes
        )
