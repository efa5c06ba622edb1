"""The journals of shards as one."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import attrs

from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._journal.sqlite import FileJournal, read_job, read_rows
from fcasync.bulk._plan.task import Row
from fcasync.errors import JournalError

BATCH = 1000
"""Rows that are written at a time."""


@attrs.frozen
class _Part:
    """One of the journals."""

    path: Path
    header: Header
    standing: Standing
    last: int
    """Number of its last outcome."""

    @classmethod
    def at(cls, path: Path) -> "_Part":
        header, standing = read_job(path)
        return cls(path, header, standing, max((row.seq for row in read_rows(path)), default=0))

    @property
    def unseen(self) -> int:
        """How many outcomes its caller has perhaps not seen."""
        return max(self.last - self.standing.acknowledged, 0)


def merge(paths: Sequence[Path], into: Path) -> int:
    """Write what the journals at *paths* know of their job into a new one; they stay as they are.

    Outcomes that no caller has certainly seen stay so: the next run hands them out again.

    Args:
        paths: Journals of one job, each of other tenants.
        into: The file to make.

    Returns:
        The number of accounts in it.

    Raises:
        JournalError: They are of different jobs, or two of them know the same account, or one
            cannot be read, or there is a file at *into*.
    """
    parts = [_Part.at(path) for path in paths]
    header = _common(parts)
    if into.exists():
        raise JournalError(f"{into} exists; name a new file", path=str(into))
    journal = FileJournal.open(into, header)
    try:
        journal.was_cut_short = not all(part.standing.is_whole for part in parts)
        count = _copy(parts, journal)
        ends = [part.standing.finished_at for part in parts]
        journal.close(
            is_complete=True,
            acknowledged=sum(part.standing.acknowledged for part in parts),
            finished_at=None if None in ends else max(filter(None, ends), default=None),
        )
    except BaseException:
        journal.close(is_complete=False)
        into.unlink()
        raise
    return count


def _common(parts: Sequence[_Part]) -> Header:
    """Return the job of all *parts*, which began when the first of them did."""
    first = parts[0]
    created = min(part.header.created for part in parts)
    for part in parts:
        if attrs.evolve(part.header, created=created) != attrs.evolve(
            first.header, created=created
        ):
            raise JournalError(
                f"{part.path} is the journal of another job than {first.path}; shards of one job "
                "have the same job= and since=",
                path=str(part.path),
            )
    return attrs.evolve(first.header, created=created)


def _copy(parts: Sequence[_Part], journal: FileJournal) -> int:
    """Write all rows, and return how many; what was seen keeps lower numbers than what was not."""
    count = seen = 0
    unseen = sum(part.standing.acknowledged for part in parts)
    for part in parts:
        rows = _renumbered(part, seen, unseen - part.standing.acknowledged)
        while batch := list(islice(rows, BATCH)):
            for known in journal.commit(batch, []).values():
                raise JournalError(
                    f"{part.path} and another journal both know {known.account_id}; shards have "
                    "no tenant in common",
                    path=str(part.path),
                )
            count += len(batch)
        seen += part.standing.acknowledged
        unseen += part.unseen
    return count


def _renumbered(part: _Part, seen: int, unseen: int) -> Iterator[Row]:
    for row in read_rows(part.path):
        if row.seq:
            offset = seen if row.seq <= part.standing.acknowledged else unseen
            row = attrs.evolve(row, seq=row.seq + offset)  # noqa: PLW2901
        yield row
