"""The ledger: one row per request, and an exact count of what each account went through."""

from collections import deque
from itertools import islice
from typing import Any

LONGEST = 100_000
"""Rows kept by default; the oldest go first."""

NAMES = (
    "number",
    "time",
    "method",
    "path",
    "operation",
    "account",
    "idempotency_key",
    "executed",
    "replayed",
    "status",
    "request_id",
    "fault",
)
"""The fields of a row: `number` is 1-based, `time` the world's Unix time."""

Row = dict[str, Any]


class Ledger:
    """The requests to a world and their results.

    Rows are bounded; the counts of executions are not, they are the proof of exactly-once.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._rows: deque[tuple[Any, ...]] = deque(maxlen=longest)
        """Tuples in the order of NAMES; the oldest go first."""
        self._executions: dict[str, dict[str, int]] = {}
        """Counts by operation and account."""
        self.requests: int = 0
        """Requests so far, those whose rows are gone included."""

    def copy(self) -> "Ledger":
        """Return a ledger that grows on its own from here on."""
        twin = Ledger(self._rows.maxlen or LONGEST)
        twin._rows = self._rows.copy()
        twin._executions = {name: counts.copy() for name, counts in self._executions.items()}
        twin.requests = self.requests
        return twin

    @property
    def rows(self) -> list[Row]:
        """The rows, oldest first."""
        return self.since(0)

    def since(self, number: int, limit: int | None = None) -> list[Row]:
        """Return the rows after row *number* (1-based), oldest first; all that are kept for 0.

        Args:
            number: Rows up to this one are left out.
            limit: The most rows that are returned, the oldest of them; None for all.
        """
        length = len(self._rows)
        start = min(length, max(0, number - (self.requests - length)))
        stop = length if limit is None else min(length, start + limit)
        # From the end that is nearer: the latest rows are what a page asks for every second.
        if start > length // 2:
            kept = list(islice(reversed(self._rows), length - stop, length - start))[::-1]
        else:
            kept = list(islice(self._rows, start, stop))
        return [dict(zip(NAMES, row, strict=True)) for row in kept]

    @property
    def last_time(self) -> float | None:
        """The world's time at the latest request; None before the first."""
        return self._rows[-1][NAMES.index("time")] if self._rows else None

    def add(self, row: Row) -> None:
        """Enter one request; it gets the next number."""
        self.requests += 1
        row["number"] = self.requests
        # A tuple takes a quarter of a dict's room.
        self._rows.append(tuple(row[name] for name in NAMES))
        if row["executed"]:
            counts = self._executions.setdefault(row["operation"], {})
            target = row["account"] or ""
            counts[target] = counts.get(target, 0) + 1

    def executions(self, operation: str) -> dict[str, int]:
        """Return how often *operation* took effect on each account, however long ago."""
        return self._executions.get(operation, {}).copy()

    def dump(self) -> dict[str, Any]:
        """Return everything, as JSON."""
        return {
            "requests": self.requests,
            "rows": list(self._rows),
            "executions": self._executions,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what :meth:`dump` returned."""
        self.requests = int(data["requests"])
        self._rows.extend(tuple(row) for row in data["rows"])
        self._executions = {name: dict(counts) for name, counts in data["executions"].items()}
