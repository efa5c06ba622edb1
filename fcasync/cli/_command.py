"""How commands read their words, and how their help is laid out."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import click

from fcasync._facts.redact import without_secrets
from fcasync.cli._connection import DEFAULT_SANDBOX_ACCOUNTS
from fcasync.cli._keys import refuse_keys

_BARE: Final = {"--sandbox": f"--sandbox={DEFAULT_SANDBOX_ACCOUNTS}", "--cluster": "--cluster="}
"""Options that need no argument, and what they then mean."""

_ALSO: Final = {
    "cat": ("retrieve", "show"),
    "delete": ("disconnect",),
    "get": ("retrieve", "show"),
    "ls": ("list",),
    "new": ("create",),
    "remove": ("disconnect",),
    "rm": ("disconnect",),
    "show": ("retrieve",),
}
"""What other programs call a command, and what it may be called here."""

_SECRET: Final = {"api_key", "webhook_secret", "url"}
"""The parameters that may be secrets; ``url`` is that of a database, with its password."""

_SHARED: Final = (
    "--api-key --base-url --stripe-account --sandbox --timeout --deadline --verbose --quiet"
)
_HEADINGS: Final = dict.fromkeys(_SHARED.split(), "Connection")


class Command(click.Command):
    """A command whose help has groups of options, with examples at its end."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare option its default, and refuse a key in the place of an id."""
        rest = super().parse_args(ctx, with_defaults(args))
        _check_words(self, ctx)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, and those of all commands last."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """A group of commands, with the same options before the command."""

    command_class: type[click.Command] | None = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare option its default, and refuse a key in the place of an id."""
        rest = super().parse_args(ctx, with_defaults(args))
        _check_words(self, ctx)
        return rest

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the command that other programs call by the name at hand."""
        better = next((name for name in _ALSO.get(args[0], ()) if name in self.commands), None)
        if better is not None and args[0] not in self.commands:
            raise click.UsageError(f"no such command {args[0]!r}; did you mean {better!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group, then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class Program(Group):
    """The program itself. No message of it, or of its commands, has a key in it."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words before the first command."""
        with _keys_hidden():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the rest, and run the command."""
        with _keys_hidden():
            return super().invoke(ctx)


@contextmanager
def _keys_hidden() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = without_secrets(error.message)  # type: ignore[misc] # here only
        raise


def _check_words(command: click.Command, ctx: click.Context) -> None:
    """Refuse a key among what *command* has read, except where one belongs."""
    for param in command.params:
        value = ctx.params.get(param.name or "")
        if param.name not in _SECRET:
            refuse_keys(value if isinstance(value, tuple) else (value,))


def examples(*lines: str) -> str:
    """Return the end of a command's help: what one would type."""
    return "\b\nExamples:\n" + "".join(f"  fcasync {line}\n" for line in lines)


def with_defaults(words: list[str]) -> list[str]:
    """Return *words* with ``--sandbox`` as ``--sandbox=25``, and ``--sandbox 500`` joined."""
    found: list[str] = []
    skip = False
    for word, after in pairwise([*words, ""]):
        if skip:
            skip = False
        elif word == "--sandbox" and after.isdecimal():
            found.append(f"{word}={after}")
            skip = True
        else:
            found.append(_BARE.get(word, word))
    return found


def write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options of *command* under their headings."""
    groups: dict[str, list[tuple[str, str]]] = {"Options": [], "Connection": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            heading = next((_HEADINGS[name] for name in param.opts if name in _HEADINGS), "Options")
            groups[heading].append(record)
    for heading, records in groups.items():
        if records:
            with formatter.section(heading):
                formatter.write_dl(records)
