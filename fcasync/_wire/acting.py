"""Lets hooks add headers to a request, just before it is sent."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs

from fcasync._rules.acting import AddedHeaders, methods
from fcasync._rules.request import Request
from fcasync._wire.protocol import Transport
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import Hook, OutgoingRequest

logger = logging.getLogger("fcasync")

T = TypeVar("T")


@attrs.frozen
class Acting:
    """The hooks of a client that add headers."""

    _befores: tuple[tuple[Hook, Callable[[OutgoingRequest], None]], ...]
    """Each hook and its ``before_attempt``."""

    @classmethod
    def of(cls, hooks: Iterable[Hook]) -> "Acting | None":
        """Return those of *hooks* that add headers, or None."""
        found = [(hook, methods(hook).get("before_attempt")) for hook in hooks]
        befores = tuple((hook, before) for hook, before in found if before is not None)
        return cls(befores) if befores else None

    async def prepare(self, request: Request[T], transport: Transport, attempt: int) -> Request[T]:
        """Return *request* with the headers that hooks add to it.

        Args:
            request: What is to be sent.
            transport: What will send it.
            attempt: The number of the attempt.

        Raises:
            InvalidArgumentError: A hook has set a header that it may not set.
        """
        look = getattr(transport, "is_traced", None)
        is_traced = False if look is None else await look()
        headers = AddedHeaders()
        for hook, before in self._befores:
            added = headers.copy()
            try:
                before(
                    OutgoingRequest(
                        call=request.call, attempt=attempt, headers=added, is_traced=is_traced
                    )
                )
            except InvalidArgumentError:
                raise
            except Exception:
                # What it has added so far may be half of what the receiver needs.
                logger.exception("hook %r failed on before_attempt", hook)
            else:
                headers = added
        return request.with_headers(headers) if headers else request
