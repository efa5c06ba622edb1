"""msgspec straight from bytes into its Structs, in C."""

import msgspec

from benchmarks.decoders import Decoder, _shapes


async def connect(url: str) -> Decoder:
    page = _shapes.page(
        lambda name, fields: msgspec.defstruct(
            name, [(name, kind, None) for name, kind in fields], kw_only=True, frozen=True
        )
    )
    decode = msgspec.json.Decoder(page).decode
    return Decoder(lambda body: decode(body).data)
