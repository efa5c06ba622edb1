"""The gates that each request passes, in Stripe's order: the first that refuses answers.

    route -> version -> rate limit -> fault -> idempotency key -> parameters -> operation

A gate either returns or raises the error that is the answer. What the operation answers, errors
included, is the result of the idempotency key; what an earlier gate answers is not kept.
"""

import re
from typing import Any, Protocol

import orjson

from fcasync.sandbox._api import expand, preview
from fcasync.sandbox._api.calls import Call
from fcasync.sandbox._api.error_bodies import ApiError, failure, unrecognized
from fcasync.sandbox._api.faults import FaultBook
from fcasync.sandbox._api.idempotency import LONGEST_KEY, Keys, Result, fingerprint
from fcasync.sandbox._api.messages import Answer, read_params
from fcasync.sandbox._api.operations import Input, Operation, route
from fcasync.sandbox._api.rates import Limiter
from fcasync.sandbox._bank.store import Store

_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?(; ?[a-z_=.v0-9]+)*")
_KEY = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}")


class Guarded(Protocol):
    """The parts of a world that its gates read and write."""

    store: Store
    keys: Keys
    limiter: Limiter
    faults: FaultBook
    latency: float


def answer(world: Guarded, call: Call) -> Answer:
    """Answer one request; *call* then holds its operation, fault and hold."""
    try:
        answer = _admit(world, call)
    except ApiError as error:
        answer = call.refuse(error)
    return call.fault.disguise(answer, call.refuse)


def is_version(text: str) -> bool:
    """Return whether *text* can be the value of a Stripe-Version header."""
    return _VERSION.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Return whether *text* can be an idempotency key."""
    return _KEY.fullmatch(text) is not None


def _admit(world: Guarded, call: Call) -> Answer:
    operation = call.operation = _route(call)
    _check_version(call)
    world.limiter.admit(operation.name, call.now)
    _strike(world, call, operation)
    params = read_params(call.request)
    if not operation.writes or call.key is None:
        return _run(world, call, operation, params)
    return _run_once(world, call, operation, call.key, params)


def _route(call: Call) -> Operation:
    request = call.request
    match = route(request.method, request.path)
    if match is None:
        raise unrecognized(request.method, request.path)
    operation, call.target = match
    return operation


def _check_version(call: Call) -> None:
    version = call.request.headers.get("stripe-version")
    if version is not None and not is_version(version):
        raise ApiError(400, f"Invalid Stripe API version: {version[:50]}")


def _strike(world: Guarded, call: Call, operation: Operation) -> None:
    call.fault = world.faults.strike(operation.name, call.seed)
    call.hold = world.latency + call.fault.hold
    # While its answer is held, the request is in flight: it takes up concurrency.
    if call.hold:
        world.limiter.occupy(call.now + call.hold)


def _run_once(
    world: Guarded, call: Call, operation: Operation, key: str, params: dict[str, Any]
) -> Answer:
    """Run the operation unless its idempotency key has a result already."""
    if not is_key(key):
        message = f"An idempotency key has 1 to {LONGEST_KEY} printable ASCII characters."
        raise ApiError(400, message, type="idempotency_error")
    digest = fingerprint(operation.method, call.request.path, params)
    kept = world.keys.find(key, digest, call.now)
    if kept is not None:
        headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
        return Answer(kept.status, kept.body, headers, replayed=True)
    answer = _run(world, call, operation, params)
    result = call.fault.result(answer, call.refuse)
    if result is not None:
        # A copy, for orjson's bytes keep the memory that they were written into: 8 kB for 1 kB.
        kept = Result(result.status, bytes(memoryview(result.body)), call.id)
    # While its answer is held, the request is in flight: its key is in use.
    if kept is not None or call.hold:
        world.keys.keep(key, digest, call.now, call.now + call.hold, kept)
    return answer


def _run(world: Guarded, call: Call, operation: Operation, params: dict[str, Any]) -> Answer:
    is_preview = preview.is_preview(call.request.headers.get("stripe-version"))
    checked = operation.accepts(preview=is_preview).read(params, "")
    paths = checked.get("expand", ())
    expand.check(paths, operation.returns)
    if not call.fault.executes:
        return call.refuse(failure(500))
    try:
        done = operation.run(world.store, Input(call.target, checked, call.now))
    except ApiError as error:
        return call.refuse(error)
    body = preview.dressed(world.store, done.body, call.now) if is_preview else done.body
    if paths:
        body = expand.expand(body, paths, lambda text: world.store.ownership(text, call.now))
    return Answer(200, orjson.dumps(body), executed=done.executed, effects=done.effects)
