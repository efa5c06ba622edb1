"""fcasync's models, as every call returns them: the collector rests while a page is built."""

import orjson

from benchmarks.decoders import Decoder
from fcasync._facts.collector import without_collections
from fcasync.models import Account, Page
from fcasync.models._convert import decoder


async def connect(url: str) -> Decoder:
    structure = decoder(Page[Account])
    return Decoder(lambda body: without_collections(lambda: structure(orjson.loads(body)).data))
