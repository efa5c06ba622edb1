"""Where a command's requests go: the options that all commands share, and the client."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Final

import attrs
import click

from fcasync.cli._common import USAGE, Failure
from fcasync.cli._retries import RetryNotices
from fcasync.cli._values import POSITIVE
from fcasync.client import Client
from fcasync.sandbox import Sandbox

DEFAULT_SANDBOX_ACCOUNTS: Final = 25
_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)


@attrs.frozen(kw_only=True)
class Connection:
    """Where a command's requests go, and how much it says on the way."""

    api_key: str | None = attrs.field(default=None, repr=False)
    base_url: str | None = None
    stripe_account: str | None = None
    sandbox: int | None = None
    """Accounts in an embedded sandbox; None talks to Stripe."""

    timeout: float | None = None
    deadline: float | None = None
    verbose: int = 0
    """0, 1 for the log at INFO, 2 for everything."""

    quiet: bool = False
    """Whether progress and remarks are left out; errors are not."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Client]:
        """Open a client, and the sandbox it talks to if there is one."""
        if self.verbose:
            logging.basicConfig(format="%(levelname)s %(message)s")
            level = _LEVELS[min(self.verbose, len(_LEVELS) - 1)]
            logging.getLogger("fcasync").setLevel(level)
        if self.sandbox is None:
            if self.api_key is None and not os.environ.get("STRIPE_API_KEY"):
                raise Failure(
                    "no API key; pass --api-key, set STRIPE_API_KEY, or use --sandbox", USAGE
                )
            async with self._client(self.api_key, self.base_url) as client:
                yield client
            return
        async with (
            Sandbox(accounts=self.sandbox) as sandbox,
            self._client(sandbox.api_key, sandbox.url) as client,
        ):
            yield client

    def _client(self, api_key: str | None, base_url: str | None) -> Client:
        times = {"timeout": self.timeout, "deadline": self.deadline}
        chosen: dict[str, Any] = {name: value for name, value in times.items() if value is not None}
        return Client(
            api_key,
            base_url=base_url,
            stripe_account=self.stripe_account,
            hooks=() if self.quiet else (RetryNotices(),),
            **chosen,
        )


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where requests go, as one ``connection`` argument.

    They may also stand before the command: ``fcasync --sandbox accounts list``.
    """

    @_shared_options
    @wraps(command)
    def with_connection(**options: Any) -> Any:
        own = {name: options.pop(name) for name in _NAMES}
        outer = click.get_current_context().find_root().obj or {}
        return command(connection=_merged(outer, own), **options)

    return with_connection


def outer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the same options to the program itself, for whatever command follows."""

    @_shared_options
    @wraps(command)
    def with_options(**options: Any) -> Any:
        click.get_current_context().obj = {name: options.pop(name) for name in _NAMES}
        return command(**options)

    return with_options


def _merged(outer: dict[str, Any], own: dict[str, Any]) -> Connection:
    """Return the options of the program, overridden by those of the command."""
    chosen = {name: value for name, value in own.items() if value != _UNSET.get(name)}
    connection = Connection(**{**outer, **chosen})
    if connection.sandbox is not None and (connection.api_key or connection.base_url):
        raise click.UsageError("--sandbox has its own key and URL; drop --api-key and --base-url")
    return connection


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_UNSET: Final = {"verbose": 0, "quiet": False}
"""What click says of an option that was not given; None for the others."""

_NAMES: Final = tuple(field.name for field in attrs.fields(Connection))
_OPTIONS: Final = (
    click.option(
        "--api-key", metavar="KEY", help="Secret or restricted key (default: $STRIPE_API_KEY)."
    ),
    click.option(
        "--base-url",
        metavar="URL",
        help="Base URL of the API (default: $STRIPE_API_BASE or Stripe).",
    ),
    click.option("--stripe-account", metavar="ACCT", help="Connected account to act for."),
    click.option(
        "--sandbox",
        type=click.IntRange(min=0),
        metavar="[=N]",
        help=f"Use a temporary sandbox with N accounts (default: {DEFAULT_SANDBOX_ACCOUNTS}).",
    ),
    click.option(
        "--timeout",
        type=POSITIVE,
        metavar="SECONDS",
        help="Most time that one attempt may take (default: 30).",
    ),
    click.option(
        "--deadline",
        type=POSITIVE,
        metavar="SECONDS",
        help="Most time that a call may take, its retries included (default: 90).",
    ),
    click.option(
        "-v", "--verbose", count=True, help="Log what happens to stderr; -vv logs every request."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Leave out progress and remarks."),
)
