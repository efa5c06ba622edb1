"""The official SDK: json.loads, then its own classes."""

import json

import stripe

from benchmarks import data
from benchmarks.decoders import Decoder


def decode(body: bytes) -> object:
    page = stripe.ListObject.construct_from(json.loads(body), data.KEY)
    return page.data


async def connect(url: str) -> Decoder:
    first = decode(data.page())[0]  # type: ignore[index]
    assert isinstance(first, stripe.financial_connections.Account)
    return Decoder(decode)
