"""The lower bound: parsed JSON without types."""

import orjson

from benchmarks.decoders import Decoder


async def connect(url: str) -> Decoder:
    return Decoder(lambda body: orjson.loads(body)["data"])
