"""Whether a 401 or 403 concerns one connected account, or the API key."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from fcasync.errors import AuthenticationError, FCError

ALL_DENIED: Final = 20
"""After this many denied tenants, if none was ever served, the key is at fault."""


@attrs.frozen
class Denials:
    """The connected accounts that have taken their access away."""

    ask: Callable[[], Awaitable[Any]]
    """Sends the smallest request there is under the key's own account."""
    was_served: Callable[[], bool]
    """Returns whether anybody was."""
    barred: list[str]
    """The tenants for which nothing more is sent."""

    async def bar(self, tenant: str, error: FCError) -> None:
        """Take note of *error*, with which *tenant* was denied, unless it is the key that is bad.

        Raises:
            FCError: The key is bad, which concerns all tenants.
        """
        if isinstance(error, AuthenticationError):
            await self._check_key()
        self.barred.append(tenant)
        if len(self.barred) >= ALL_DENIED and not self.was_served():
            raise error

    async def _check_key(self) -> None:
        try:
            await self.ask()
        except AuthenticationError:
            raise
        except FCError:
            return  # whatever it is, it does not say that the key is bad
