"""The parts that all commands share: connection options, the client, and exit codes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import IO, Any, ParamSpec

import attrs
import click

from fcasync.client import Client
from fcasync.errors import (
    AuthenticationError,
    FCError,
    InvalidArgumentError,
    PermissionDeniedError,
)
from fcasync.sandbox import Sandbox

P = ParamSpec("P")

OK, SOME_FAILED, USAGE, AUTHENTICATION, INTERRUPTED = 0, 1, 2, 3, 130
DEFAULT_SANDBOX_ACCOUNTS = 25


class Failure(click.ClickException):
    """One sentence on stderr and an exit code."""

    def __init__(self, message: str, code: int = SOME_FAILED) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc] # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence."""
        click.echo(f"fcasync: {self.message}", file=file, err=True)


class Command(click.Command):
    """A command whose bare ``--sandbox`` or ``--cluster`` takes no argument after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare option its default."""
        defaults = {"--sandbox": f"--sandbox={DEFAULT_SANDBOX_ACCOUNTS}", "--cluster": "--cluster="}
        return super().parse_args(ctx, [defaults.get(arg, arg) for arg in args])


@attrs.frozen(kw_only=True)
class Connection:
    """Where a command's requests go."""

    api_key: str | None = attrs.field(repr=False)
    base_url: str | None
    stripe_account: str | None
    sandbox: int | None
    """Accounts in an embedded sandbox; None talks to Stripe."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Client]:
        """Open a client, and the sandbox it talks to if there is one."""
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
        return Client(api_key, base_url=base_url, stripe_account=self.stripe_account)


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where requests go, as one ``connection`` argument."""

    @click.option(
        "--api-key", metavar="KEY", help="Secret or restricted key (default: $STRIPE_API_KEY)."
    )
    @click.option(
        "--base-url",
        metavar="URL",
        help="Base URL of the API (default: $STRIPE_API_BASE or Stripe).",
    )
    @click.option("--stripe-account", metavar="ACCT", help="Connected account to act for.")
    @click.option(
        "--sandbox",
        type=click.IntRange(min=0),
        metavar="[=N]",
        help=f"Use a temporary sandbox with N accounts (default: {DEFAULT_SANDBOX_ACCOUNTS}).",
    )
    @wraps(command)
    def with_connection(
        api_key: str | None,
        base_url: str | None,
        stripe_account: str | None,
        sandbox: int | None,
        **rest: Any,
    ) -> Any:
        if sandbox is not None and (api_key or base_url):
            raise click.UsageError(
                "--sandbox has its own key and URL; drop --api-key and --base-url"
            )
        connection = Connection(
            api_key=api_key, base_url=base_url, stripe_account=stripe_account, sandbox=sandbox
        )
        return command(connection=connection, **rest)

    return with_connection


def runs_async(command: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run a coroutine as a command: errors become one sentence and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = asyncio.run(command(*args, **kwargs))
        except FCError as error:
            raise Failure(str(error), exit_code(error)) from error
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise Failure("interrupted", INTERRUPTED) from None
        except BrokenPipeError:
            # `fcasync accounts list | head` is not an error; keep Python from complaining at exit.
            sys.stderr.close()
            sys.exit(OK)
        except OSError as error:
            if error.filename is not None:
                raise
            # Only standard output has no name. Python writes what is left of it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Failure(f"cannot write the output: {error.strerror}") from error
        sys.exit(code or OK)

    return run


def exit_code(error: FCError) -> int:
    """Return the exit code of a command that ends with *error*."""
    if isinstance(error, InvalidArgumentError):
        return USAGE
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return AUTHENTICATION
    return SOME_FAILED


def features_option(
    *supported: str,
    flag: str = "--features",
    what: str = "Comma-separated list of",
    is_required: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--features a,b``, limited to the features that the operation supports.

    Args:
        supported: The features.
        flag: Another name for the option.
        what: The beginning of its help.
        is_required: Whether it must be used; else it is an empty list without it.
    """

    def parse(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
        if value is None:
            return []
        words = [word.strip() for word in value.split(",") if word.strip()]
        unknown = [word for word in words if word not in supported]
        if unknown or not words:
            wrong = f"unknown feature {unknown[0]!r}" if unknown else "no feature named"
            raise click.BadParameter(f"{wrong}; choose from {', '.join(supported)}")
        return words

    return click.option(
        flag,
        required=is_required,
        callback=parse,
        metavar="NAMES",
        help=f"{what}: {', '.join(supported)}.",
    )
