"""``client.request``: what fcasync has no method for."""

from collections.abc import Mapping
from typing import Any, TypeVar, overload

from fcasync._rules.raw import raw_request
from fcasync._rules.request import Options
from fcasync._wire.engine import Engine
from fcasync.models._convert import decoder

T = TypeVar("T")


class AnyRequest:
    """The part of a client that sends any request."""

    _engine: Engine
    _options: Options

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        decode: None = None,
    ) -> Any: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        decode: type[T],
    ) -> T: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        decode: Any = None,
    ) -> Any:
        """Send any request of Stripe's API, with keys, retries and pace as in every other call.

        Args:
            method: ``GET`` or ``POST``.
            path: Below ``/v1`` or ``/v2``, such as ``/v1/financial_connections/institutions``.
            params: The query of a GET, or the body of a POST: a form below ``/v1``, and JSON below
                ``/v2``.
            idempotency_key: 1 to 255 printable characters; None generates one for a POST.
            decode: The model to return, such as ``fcasync.Account`` or ``fcasync.Page[Account]``;
                None returns the parsed JSON.

        Raises:
            InvalidArgumentError: An argument is not what Stripe could accept; nothing was sent.
            FCError: As in every other call.
        """
        structure = _as_parsed if decode is None else decoder(decode)
        return await self._engine.value(
            raw_request(
                method,
                path,
                self._options,
                structure,
                params=params,
                idempotency_key=idempotency_key,
            )
        )


def _as_parsed(value: object) -> object:
    return value
