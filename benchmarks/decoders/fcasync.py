"""fcasync's models, as every call returns them."""

import orjson

from benchmarks.decoders import Decoder
from fcasync.models import Account, Page
from fcasync.models._convert import decoder


async def connect(url: str) -> Decoder:
    structure = decoder(Page[Account])
    return Decoder(lambda body: structure(orjson.loads(body)).data)
