"""The options that jobs share: the bulk jobs, and ``fcasync sync``."""

from collections.abc import Callable
from typing import Any

import click

from fcasync.cli._values import POSITIVE, Whole, duration, instant, shard

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the ways to name accounts: ``ids``, ``file``, ``everything`` and ``tenants``."""
    ways = (
        click.argument("ids", nargs=-1, metavar="[IDS]..."),
        click.option(
            "--from",
            "file",
            type=click.Path(),
            metavar="FILE",
            help="File of ids, JSON lines (accounts, or anything with an id), or a CSV with a "
            "column id or account_id (- for stdin).",
        ),
        click.option(
            "--all", "everything", is_flag=True, help="All accounts that the key can see."
        ),
        click.option(
            "--tenants",
            type=click.Path(),
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
        type=Whole(min=1),
        default=default,
        show_default=True,
        metavar="N",
        help=f"Most {what}.",
    )


def bulk_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all bulk jobs take: their accounts, their journal, their pace and their limits."""
    for option in reversed(_BULK):  # as a stack of decorators does
        command = option(command)
    return source_options(command)


_BULK = (
    click.option(
        "--failed-only",
        is_flag=True,
        help="Take up what failed in --journal, and what an interrupted run had already read (for "
        "the rest repeat the whole command); no accounts and no features need to be named.",
    ),
    click.option(
        "--journal",
        type=click.Path(),
        metavar="FILE",
        help="Journal file; makes the job resumable. One file for each job.",
    ),
    click.option(
        "--max-rate",
        type=POSITIVE,
        metavar="R",
        help="Most requests a second (default: finds the rate limit).",
    ),
    concurrency_option(256, "requests in flight"),
    click.option(
        "--total-rate", type=POSITIVE, metavar="R", help="Most requests a second of all --tenants."
    ),
    click.option(
        "--shard",
        callback=shard,
        metavar="I/N",
        help="Only the tenants of shard I, from 0 to N-1; N processes share the list.",
    ),
    click.option(
        "--job", metavar="NAME", help="Name of the job: whoever lost the journal repeats nothing."
    ),
    click.option(
        "--since",
        callback=instant,
        metavar="INSTANT",
        help="Time before which nothing of --job was sent, such as 2026-11-24T00:00Z.",
    ),
    click.option(
        "--max-requests",
        type=Whole(min=1),
        metavar="N",
        help="Most requests that this run sends; the rest stays open.",
    ),
    click.option("--dry-run", is_flag=True, help="Send nothing, and say what would be sent."),
)
