"""When the deferred accounts of a job can take the operation."""

from datetime import datetime


class Openings:
    """The instants at which deferred accounts can take the operation, the first and the last."""

    def __init__(self) -> None:
        self._first: datetime | None = None  # None while no account says when
        self._last: datetime | None = None

    def add(self, opens: datetime | None) -> None:
        """Take note of when an account can take the operation; None if nobody knows."""
        if opens is not None:
            self._first = opens if self._first is None else min(self._first, opens)
            self._last = opens if self._last is None else max(self._last, opens)

    def __str__(self) -> str:
        """Return ``, possible from ... UTC``, or nothing if nobody knows."""
        if self._first is None or self._last is None:
            return ""
        first, last = _minute(self._first), _minute(self._last)
        return f", possible from {first}" + ("" if first == last else f", all from {last}")

    def added_to(self, report: object) -> str:
        """Return the text of *report* with the instants in its line of deferred accounts."""
        lines = str(report).splitlines()
        return "\n".join(
            f"{line}{self}" if line.startswith("deferred ") else line for line in lines
        )


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
