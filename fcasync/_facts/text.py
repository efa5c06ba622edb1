"""Text that no encoding can hold: half a surrogate pair, which JSON allows and a bank may send."""

from collections.abc import Mapping
from typing import Any

import orjson


def well_formed(text: str) -> str:
    """Return *text* with U+FFFD, the replacement character, for half a surrogate pair."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def to_json(value: object, option: int | None = None) -> bytes:
    """Return *value* as JSON in UTF-8, well-formed.

    Args:
        value: What orjson can write.
        option: See https://github.com/ijl/orjson#option.
    """
    try:
        return orjson.dumps(value, option=option)
    except TypeError:
        return orjson.dumps(_all_well_formed(value), option=option)


def _all_well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed(name): _all_well_formed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_all_well_formed(each) for each in value]
    return value
