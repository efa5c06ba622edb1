"""fcasync's models, as every call returns them."""

import orjson

from benchmarks.decoders import Decoder
from fcasync._convert import decoder
from fcasync.models import Account, Page


async def connect(url: str) -> Decoder:
    structure = decoder(Page[Account])
    return Decoder(lambda body: structure(orjson.loads(body)).data)
