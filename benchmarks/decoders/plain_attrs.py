"""msgspec straight from bytes into attrs classes, in C."""

from typing import Any

import attrs
import msgspec

from benchmarks.decoders import Decoder, _shapes


def make(name: str, fields: list[tuple[str, Any]]) -> Any:
    """Return a class that is defined like fcasync's models."""
    body = {name: attrs.field(default=None, type=kind) for name, kind in fields}
    return attrs.make_class(name, body, frozen=True, slots=True, kw_only=True)


async def connect(url: str) -> Decoder:
    decode = msgspec.json.Decoder(_shapes.page(make)).decode
    return Decoder(lambda body: decode(body).data)
