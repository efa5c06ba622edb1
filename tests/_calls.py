"""Building blocks for tests of the engine: an operation that decodes nothing."""

from typing import Any

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._rules import checks
from fcasync._rules.limiter import Limiter
from fcasync._rules.limits import Limits
from fcasync._rules.request import Operation, Options, Request, Response, build
from fcasync._rules.retry_policy import RetryPolicy, RetryQuota
from fcasync._wire.engine import Engine
from fcasync._wire.protocol import Transport
from fcasync._wire.transport import AiohttpTransport
from fcasync.hooks import Hook

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


def identity(parsed: object) -> Any:
    return parsed


GET: Operation[Any] = Operation(
    name="retrieve", method="GET", route="/v1/things/{thing}", decode=identity
)
POST: Operation[Any] = Operation(
    name="refresh", method="POST", route="/v1/things/{thing}/refresh", decode=identity
)


def options(base_url: str = "http://127.0.0.1:1", **changes: Any) -> Options:
    settings: dict[str, Any] = {"timeout": 30.0, "deadline": 90.0, "retry": RetryPolicy()}
    settings |= changes
    return Options(api_key=checks.api_key(KEY), base_url=base_url, **settings)


def engine(
    transport: Transport,
    clock: Clock = SYSTEM_CLOCK,
    *,
    hooks: tuple[Hook, ...] = (),
    quota: RetryQuota | None = None,
    limits: Limits | None = None,
) -> Engine:
    return Engine(transport, clock=clock, limiter=Limiter(limits), hooks=hooks, quota=quota)


def real_transport(**changes: Any) -> AiohttpTransport:
    return AiohttpTransport(**({"max_connections": 10, "max_response_bytes": 1 << 20} | changes))


def request(operation: Operation[Any], opts: Options, **rest: Any) -> Request[Any]:
    return build(operation, opts, object_id="fca_1", **rest)


async def call(
    eng: Engine, operation: Operation[Any], opts: Options | None = None, **rest: Any
) -> Response[Any]:
    opts = opts or options()
    return await eng.call(request(operation, opts, **rest))
