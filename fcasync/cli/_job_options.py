"""The options that the jobs share: ``fcasync refresh`` and ``fcasync sync``."""

from collections.abc import Callable
from typing import Any

import click

from fcasync.cli._values import duration

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the ways to name accounts: ``ids``, ``file``, ``everything`` and ``tenants``."""
    ways = (
        click.argument("ids", nargs=-1, metavar="[IDS]..."),
        click.option(
            "--from",
            "file",
            metavar="FILE",
            help="File of ids, accounts as JSON lines, or JSON lines with an id (- for stdin).",
        ),
        click.option(
            "--all", "everything", is_flag=True, help="All accounts that the key can see."
        ),
        click.option(
            "--tenants",
            metavar="FILE",
            help="File of connected accounts, or JSON lines with stripe_account and accounts "
            "(- for stdin); all their accounts are taken, each at its own rate.",
        ),
    )
    for way in reversed(ways):  # as a stack of decorators does
        command = way(command)
    return command


def max_age_option(what: str) -> Decorator:
    """Add ``--max-age``, whose help says *what* it does."""
    return click.option(
        "--max-age",
        callback=duration,
        metavar="AGE",
        help=f"{what}, such as 12h, 30m or 90 (seconds).",
    )


def concurrency_option(default: int, what: str) -> Decorator:
    """Add ``--concurrency``, the most of *what* at a time."""
    return click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        metavar="N",
        help=f"Most {what}.",
    )
