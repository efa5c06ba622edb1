"""The decoders that are compared: each turns the bytes of a page into objects.

A module of this package has an ``async def connect(url)`` that returns an object with a method
``decode(body)`` and a coroutine ``aclose()``.
"""

from collections.abc import Callable

LABELS = {
    "fcasync": "fcasync: frozen attrs, datetimes, enums",
    "parsed": "orjson.loads alone: dicts",
    "structs": "msgspec into Structs: strings, integers",
    "plain_attrs": "msgspec into attrs: strings, integers",
    "cattrs_attrs": "cattrs into the same classes",
    "official": "official SDK",
}


class Decoder:
    """A decoder that is a function."""

    def __init__(self, decode: Callable[[bytes], object]) -> None:
        self.decode = decode

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""
