"""Columns as an Arrow table; the one file that imports pyarrow, and only when it is used."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from fcasync._facts.text import to_json, well_formed
from fcasync.errors import InvalidArgumentError, describe
from fcasync.models._columns import Column

_INT64: Final = range(-(2**63), 2**63)


def stream(columns: Iterable[Column], requested_schema: object) -> object:
    """Return a capsule with an Arrow stream of *columns*.

    See https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html. Text is
    ``string``, numbers are ``int64``, instants ``timestamp[us, UTC]``; lists and maps that have
    no columns of their own are JSON text. Half a surrogate pair, which UTF-8 cannot hold, becomes
    U+FFFD.

    Raises:
        ImportError: pyarrow is not installed.
        InvalidArgumentError: A number does not fit in 64 bits.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError("Arrow data needs pyarrow: pip install 'fcasync[arrow]'") from error
    kinds: dict[str, Any] = {
        "text": pa.string(),
        "number": pa.int64(),
        "flag": pa.bool_(),
        "instant": pa.timestamp("us", "UTC"),
        "texts": pa.list_(pa.string()),
        "json": pa.string(),
    }

    def array(column: Column) -> Any:
        plain = _PLAIN.get(column.kind)
        values = column.values
        if plain is not None:
            values = [None if value is None else plain(value) for value in values]
        try:
            return pa.array(values, type=kinds[column.kind])
        except OverflowError as error:
            raise _too_large(column) from error

    table = pa.table({column.name: array(column) for column in columns})
    capsule: object = table.__arrow_c_stream__(requested_schema)
    return capsule


def _too_large(column: Column) -> InvalidArgumentError:
    row, value = next(
        (row, value)
        for row, value in enumerate(column.values)
        if value is not None and value not in _INT64
    )
    return InvalidArgumentError(
        f"{column.name} of row {row} (counted from 0) is {describe(value)}, which does not fit in "
        "the 64 bits of a number in Arrow; use to_columns(), whose numbers have no bounds"
    )


def _texts(values: list[str]) -> list[str]:
    return [well_formed(value) for value in values]


def _json(value: object) -> str:
    return to_json(value).decode()


_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "text": well_formed,
    "texts": _texts,
    "json": _json,
}
"""What makes a value, which is not None, one that Arrow can hold."""
