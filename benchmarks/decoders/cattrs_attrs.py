"""orjson, then cattrs with its own generated code."""

import orjson
from cattrs import Converter

from benchmarks.decoders import Decoder, _shapes
from benchmarks.decoders.plain_attrs import make


async def connect(url: str) -> Decoder:
    structure = Converter(detailed_validation=False).get_structure_hook(page := _shapes.page(make))
    return Decoder(lambda body: structure(orjson.loads(body), page).data)
