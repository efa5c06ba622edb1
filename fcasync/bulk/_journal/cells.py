"""Rows as the cells of a table, each with a checksum."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from zlib import crc32

import orjson

from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._journal.statements import HEADER, INTENT, JOB, SAME, STANDING, TASK
from fcasync.bulk._plan.task import Row

_IS_CERTAIN, _REPLAYED = TASK.index("is_certain"), TASK.index("replayed")
_same, _SAME = attrgetter(*SAME), tuple(SAME.values())
_intent = attrgetter(*(TASK[index] for index in INTENT))
_IS_WHOLE = STANDING.index("is_whole")
_read, _header, _standing = attrgetter(*TASK), attrgetter(*HEADER), attrgetter(*STANDING)


def checksum(values: Sequence[Any]) -> int:
    """Return the CRC-32 of *values* as JSON."""
    return crc32(orjson.dumps(values))


def of_row(row: Row) -> bytes:
    """Return the cells of *row* as JSON, the checksum of the others last."""
    # On the way of every account: made once, for the checksum and for SQLite.
    text = orjson.dumps(_values(row))
    return b"%b,%d]" % (text[:-1], crc32(text))


def of_intent(row: Row) -> bytes | None:
    """Return those cells of a new intent that are not the same in all, as JSON; None of others."""
    if _same(row) != _SAME:
        return None
    return orjson.dumps((*_intent(row), checksum(_values(row))))


def _values(row: Row) -> list[Any]:
    values = list(_read(row))
    values[_IS_CERTAIN], values[_REPLAYED] = int(row.is_certain), int(row.replayed)
    return values


def wire_form(row: Row) -> bytes:
    """Return the cells of *row* as JSON, for :func:`to_row` in another process."""
    return orjson.dumps(_values(row))


def to_row(values: Sequence[Any]) -> Row:
    """Return the row of *values*, whose checksum is not looked at."""
    row = Row(*values[: len(TASK)])
    row.is_certain, row.replayed = bool(row.is_certain), bool(row.replayed)
    return row


def of_job(header: Header, standing: Standing) -> list[Any]:
    """Return the cells of the job's row."""
    return [*_header(header), *of_standing(header, standing)]


def of_standing(header: Header, standing: Standing) -> list[Any]:
    """Return those cells of the job's row that change: the checksum is that of all."""
    values = list(_standing(standing))
    values[_IS_WHOLE] = int(standing.is_whole)
    values.append(checksum([*_header(header), *values]))
    return values


def to_job(values: Sequence[Any]) -> tuple[Header, Standing]:
    """Return what the cells of the job's row say."""
    known = dict(zip(JOB, values, strict=False))
    known["is_whole"] = bool(known["is_whole"])
    header = {name: known.pop(name) for name in HEADER}
    return Header(**header), Standing(**known)
