"""Prints what the layers of one call cost, in seconds, without any network.

Each round runs each layer *times* times; the output is a JSON object with one list per layer.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import tenacity
from multidict import CIMultiDict

from benchmarks import data
from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync._facts.redact import Secret
from fcasync._rules.interpret import interpret
from fcasync._rules.limiter import Limiter
from fcasync._rules.request import Answer, Options, Request, build
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._wire.engine import Engine
from fcasync.errors import FCError
from fcasync.resources.accounts import REFRESH
from fcasync.testing import InstantTransport

OPTIONS = Options(
    api_key=Secret(data.KEY),
    base_url="http://127.0.0.1",
    timeout=30.0,
    deadline=90.0,
    retry=RetryPolicy(),
)
ANSWER = Answer(200, CIMultiDict({"Request-Id": "req_1"}), json.dumps(data.account(1)).encode())


def make() -> Request[Any]:
    return build(REFRESH, OPTIONS, object_id=data.account_id(1), params={"features": ["balance"]})


async def bare(request: Request[Any], transport: InstantTransport) -> object:
    return interpret(request, await transport.send(request, 30.0))


def layers() -> Mapping[str, Callable[[], Awaitable[object]]]:
    request, transport = make(), InstantTransport(lambda request: ANSWER)
    engine = Engine(transport, clock=SYSTEM_CLOCK, limiter=Limiter())

    async def one_request() -> object:
        return make()

    async def in_tenacity() -> object:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(FCError),
            stop=tenacity.stop_after_attempt(4),
            wait=tenacity.wait_random_exponential(0.5, 8),
        )
        return await retrying(bare, request, transport)

    return {
        "request": one_request,
        "bare": lambda: bare(request, transport),
        "engine": lambda: engine.value(request),
        "tenacity": in_tenacity,
    }


async def main(times: int, rounds: int) -> None:
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, layer in layers().items():
            begin = time.process_time()
            for _ in range(times):
                await layer()
            costs.setdefault(name, []).append((time.process_time() - begin) / times)
    print(json.dumps(costs))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
