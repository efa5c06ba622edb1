"""The least that anybody can do: parsed JSON, without a type."""

import orjson

from benchmarks.decoders import Decoder


async def connect(url: str) -> Decoder:
    return Decoder(lambda body: orjson.loads(body)["data"])
