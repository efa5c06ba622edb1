"""Columns as an Arrow table; the one file that imports pyarrow, and only when it is used."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from fcasync._facts.text import to_json, well_formed
from fcasync.models._columns import Column


def stream(columns: Iterable[Column], requested_schema: object) -> object:
    """Return a capsule with an Arrow stream of *columns*.

    See https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html. Text is
    ``string``, numbers are ``int64``, instants ``timestamp[us, UTC]``; lists and maps that have
    no columns of their own are JSON text. Half a surrogate pair, which UTF-8 cannot hold, becomes
    U+FFFD.

    Raises:
        ImportError: pyarrow is not installed.
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
    table = pa.table(
        {
            column.name: pa.array(
                [None if value is None else plain(value) for value in column.values]
                if (plain := _PLAIN.get(column.kind))
                else column.values,
                type=kinds[column.kind],
            )
            for column in columns
        }
    )
    capsule: object = table.__arrow_c_stream__(requested_schema)
    return capsule


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
