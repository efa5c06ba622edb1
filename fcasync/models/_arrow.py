"""Columns as an Arrow table; the one file that imports pyarrow, and only when it is used."""

from collections.abc import Iterable
from typing import Any

import orjson

from fcasync.models._columns import Column


def stream(columns: Iterable[Column], requested_schema: object) -> object:
    """Return a capsule with an Arrow stream of *columns*.

    See https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html. Text is
    ``string``, numbers are ``int64``, instants ``timestamp[us, UTC]``; lists and maps that have
    no columns of their own are JSON text.

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
                map(_text, column.values) if column.kind == "json" else column.values,
                type=kinds[column.kind],
            )
            for column in columns
        }
    )
    capsule: object = table.__arrow_c_stream__(requested_schema)
    return capsule


def _text(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
