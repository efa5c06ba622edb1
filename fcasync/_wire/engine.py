"""What the calls of one client share: connections, rate limits, the retry quota and hooks."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from fcasync._facts.clock import Clock
from fcasync._rules.limiter import Limiter
from fcasync._rules.request import Request, Response
from fcasync._rules.retry_policy import RetryQuota
from fcasync._wire.attempts import Attempts
from fcasync._wire.call import Call
from fcasync._wire.line import Lines
from fcasync._wire.protocol import Transport
from fcasync._wire.reporting import Reporter
from fcasync.hooks import Hook

T = TypeVar("T")


class Engine:
    """Carries out calls over one transport."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        limiter: Limiter,
        hooks: tuple[Hook, ...] = (),
        quota: RetryQuota | None = None,
    ) -> None:
        self.transport = transport
        self.clock = clock
        self.limiter = limiter
        self.lines: Lines = Lines(clock)
        self.quota: RetryQuota = RetryQuota() if quota is None else quota
        self.reporter: Reporter = Reporter(hooks)
        # By event loop, because closing the client on one leaves the others at work.
        self._closings: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
        _engines.add(self)

    @property
    def closings(self) -> int:
        """How often the client was closed on the running loop.

        It may be used again then, but not by what was at work.
        """
        return self._closings.get(asyncio.get_running_loop(), 0)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        self._closings[asyncio.get_running_loop()] = self.closings + 1
        await self.transport.aclose()

    async def call(self, request: Request[T]) -> Response[T]:
        """Carry out one call and return its result.

        Raises:
            FCError: What went wrong; a POST's error carries its idempotency key.
        """
        call = Call(self, request)
        return call.response(await call.run())

    def value(self, request: Request[T]) -> Coroutine[Any, Any, T]:
        """Carry out one call, as :meth:`call` does, for those who want its value only."""
        return Call(self, request).run()

    async def attempt(self, request: Request[T]) -> Response[T]:
        """Send *request* once: no limiter, no retry; hooks hear of the attempt alone.

        For callers with a schedule of their own, such as bulk jobs.
        """
        attempts = Attempts(request, self.transport, self.clock, self.reporter)
        return attempts.response(await attempts.once(attempts.started))


_engines: WeakSet[Engine] = WeakSet()


def _forget_inherited() -> None:
    for engine in _engines:
        engine.limiter.forget_in_flight()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
