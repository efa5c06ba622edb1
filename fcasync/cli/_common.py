"""The parts that all commands share: how they run, fail and end."""

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import IO, Any, ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

from fcasync.errors import (
    AuthenticationError,
    FCError,
    InvalidArgumentError,
    JournalError,
    PermissionDeniedError,
)

P = ParamSpec("P")
T = TypeVar("T")

OK, SOME_FAILED, USAGE, AUTHENTICATION, INTERRUPTED = 0, 1, 2, 3, 130


class Failure(click.ClickException):
    """One sentence on stderr and an exit code."""

    def __init__(self, message: str, code: int = SOME_FAILED) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc] # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence."""
        click.echo(f"fcasync: {self.message}", file=file, err=True)


def runs_async(command: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run a coroutine as a command: errors become one sentence and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = asyncio.run(_named(command(*args, **kwargs)))
        except FCError as error:
            raise Failure(in_options(str(error)), exit_code(error)) from error
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise Failure("interrupted", INTERRUPTED) from None
        except BrokenPipeError:
            # `fcasync accounts list | head` is not an error; keep Python from complaining at exit.
            sys.stderr.close()
            sys.exit(OK)
        sys.exit(code or OK)

    return run


def exit_code(error: FCError) -> int:
    """Return the exit code of a command that ends with *error*."""
    if isinstance(error, InvalidArgumentError | JournalError):
        return USAGE
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return AUTHENTICATION
    return SOME_FAILED


def in_options(sentence: str) -> str:
    """Return *sentence* about an argument of a Python function in the words of the command line.

    If it begins with the name of an argument, such as ``since=0 lies`` or ``timeout must``, it
    begins with the option and its value instead.
    """
    context = click.get_current_context(silent=True)
    found = re.match(r"([a-z_]+)(=\S+)?(?= )", sentence)
    if context is None or found is None:
        return sentence
    for param in context.command.params:
        if isinstance(param, click.Option) and param.name == found[1]:
            value = f" {context.params.get(found[1])}" if found[2] else ""
            return f"{max(param.opts, key=len)}{value}{sentence[found.end() :]}"
    return sentence


def features_option(
    *supported: str, name: str = "--features", required: bool = True, about: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option such as ``--features a,b``, limited to what the operation supports."""

    def parse(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
        if value is None:
            return []
        words = [word.strip() for word in value.split(",") if word.strip()]
        unknown = [word for word in words if word not in supported]
        if unknown or not words:
            wrong = f"unknown feature {unknown[0]!r}" if unknown else "no feature is named"
            raise click.BadParameter(f"{wrong}; choose from {', '.join(supported)}")
        return words

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        used = before.split(",")
        left = [word for word in supported if word.startswith(last) and word not in used]
        return [CompletionItem(f"{before}{comma}{word}") for word in left]

    return click.option(
        name,
        required=required,
        callback=parse,
        shell_complete=complete,
        metavar="NAMES",
        help=about or f"Comma-separated list of: {', '.join(supported)}.",
    )


async def _named(command: Coroutine[Any, Any, T]) -> T:
    # asyncio.run has no argument for it.
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - coroutines run in tasks
    task.set_name("fcasync.cli")
    return await command


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--yes``, for a command that cannot be undone."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def confirm(what: str) -> None:
    """Ask on a terminal whether to do *what*; elsewhere it must have been said in the command.

    Raises:
        UsageError: There is no terminal to ask on.
        Failure: The answer was no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"this would {what}, which cannot be undone; pass --yes to do it")
    # The loop waits while a person thinks, so it cannot handle Ctrl-C.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        is_yes = click.confirm(f"{what[0].upper()}{what[1:]}? This cannot be undone.", err=True)
    except click.Abort:
        raise Failure("nothing was done", INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, handler)
    if not is_yes:
        raise Failure("nothing was done")
