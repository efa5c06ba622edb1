"""Rows as the cells of a table, each with a checksum."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any
from zlib import crc32

import attrs
import orjson

from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._journal.statements import HEADER, JOB, TASK
from fcasync.bulk._plan.task import Row

_IS_CERTAIN, _REPLAYED = TASK.index("is_certain"), TASK.index("replayed")
_read = attrgetter(*TASK)


def checksum(values: Iterable[Any]) -> int:
    """Return the CRC-32 of *values* as JSON."""
    return crc32(orjson.dumps(list(values)))


def of_row(row: Row) -> list[Any]:
    """Return the cells of *row*."""
    # On the way of every account, twice: much faster than attrs.astuple.
    values = list(_read(row))
    values[_IS_CERTAIN], values[_REPLAYED] = int(row.is_certain), int(row.replayed)
    values.append(checksum(values))
    return values


def to_row(values: Sequence[Any]) -> Row:
    """Return the row of *values*, whose checksum is not looked at."""
    known = dict(zip(TASK, values, strict=False))
    known["is_certain"] = bool(known["is_certain"])
    known["replayed"] = bool(known["replayed"])
    return Row(**known)


def of_job(header: Header, standing: Standing) -> list[Any]:
    """Return the cells of the job's row."""
    facts = {**attrs.asdict(header), **attrs.asdict(standing)}
    values = [int(facts[name]) if name == "is_whole" else facts[name] for name in JOB]
    values.append(checksum(values))
    return values


def to_job(values: Sequence[Any]) -> tuple[Header, Standing]:
    """Return what the cells of the job's row say."""
    known = dict(zip(JOB, values, strict=False))
    known["is_whole"] = bool(known["is_whole"])
    header = {name: known.pop(name) for name in HEADER}
    return Header(**header), Standing(**known)
