"""How commands read their words, and how their help is laid out."""

from itertools import pairwise
from typing import Final

import click

from fcasync.cli._connection import DEFAULT_SANDBOX_ACCOUNTS

_BARE: Final = {"--sandbox": f"--sandbox={DEFAULT_SANDBOX_ACCOUNTS}", "--cluster": "--cluster="}
"""Options that need no argument, and what they then mean."""

_SHARED: Final = (
    "--api-key --base-url --stripe-account --sandbox --timeout --deadline --verbose --quiet"
)
_HEADINGS: Final = dict.fromkeys(_SHARED.split(), "Connection")


class Command(click.Command):
    """A command whose help has groups of options, with examples at its end."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare option its default."""
        return super().parse_args(ctx, with_defaults(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, and those of all commands last."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """A group of commands, with the same options before the command."""

    command_class: type[click.Command] | None = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare option its default."""
        return super().parse_args(ctx, with_defaults(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group, then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


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
