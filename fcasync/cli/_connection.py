"""Where a command's requests go: the options that all commands share, and the client."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import click

from fcasync._rules.checks import is_live
from fcasync.cli._common import USAGE, Failure
from fcasync.cli._retries import RetryNotices
from fcasync.cli._values import POSITIVE, Whole, connected
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
            async with self._outside() as client:
                yield client
            return
        async with (
            Sandbox(accounts=self.sandbox) as sandbox,
            self._client(sandbox.api_key, sandbox.url) as client,
        ):
            yield client

    def whom(self) -> str:
        """Return what stands for these in a question: the key, its mode and the host."""
        if self.sandbox is not None:
            return "a sandbox"
        options = self._outside()._options
        mode = "live" if is_live(options.api_key) else "test"
        key = f"{options.api_key} ({mode} mode, {urlsplit(options.base_url).netloc})"
        return f"{self.stripe_account}, by the key {key}" if self.stripe_account else key

    def _outside(self) -> Client:
        """Return a client for Stripe."""
        if not (os.environ.get("STRIPE_API_KEY") if self.api_key is None else self.api_key):
            what = "no API key" if self.api_key is None else "--api-key is empty"
            raise Failure(
                f"{what}; pass --api-key KEY, set STRIPE_API_KEY, or use --sandbox", USAGE
            )
        return self._client(self.api_key, self.base_url)

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
        chosen = {**(click.get_current_context().obj or {}), **_chosen(own)}
        return command(connection=_checked(Connection(**chosen)), **options)

    return with_connection


def outer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the same options to the program or a group, for whatever command follows."""

    @_shared_options
    @wraps(command)
    def with_options(**options: Any) -> Any:
        own = {name: options.pop(name) for name in _NAMES}
        context = click.get_current_context()
        context.obj = {**(context.obj or {}), **_chosen(own)}
        return command(**options)

    return with_options


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--quiet`` alone, as ``is_quiet``, to a command that sends nothing."""

    @_QUIET
    @wraps(command)
    def with_quiet(*, quiet: bool, **options: Any) -> Any:
        outer = click.get_current_context().obj or {}
        return command(is_quiet=quiet or outer.get("quiet", False), **options)

    return with_quiet


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Return those of *options* that were given."""
    return {name: value for name, value in options.items() if value != _UNSET.get(name)}


def _checked(connection: Connection) -> Connection:
    if connection.sandbox is not None and (connection.api_key or connection.base_url):
        raise click.UsageError("--sandbox has its own key and URL; drop --api-key and --base-url")
    return connection


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_UNSET: Final = {"verbose": 0, "quiet": False}
"""What click says of an option that was not given; None for the others."""

_QUIET: Final = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Leave out progress and remarks, and the report of a job whose accounts are all done.",
)
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
    click.option(
        "--stripe-account",
        callback=connected,
        metavar="ACCT",
        help="Connected account to act for.",
    ),
    click.option(
        "--sandbox",
        type=Whole(min=0),
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
    _QUIET,
)
