"""``fcasync sandbox``: a local Financial Connections server for tests in any language."""

import asyncio
import errno
import json
import signal
from typing import Any

import click

from fcasync.cli._common import Failure, runs_async
from fcasync.sandbox import Sandbox


def _parse_faults(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    try:
        return [json.loads(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from error


def _parse_rate(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | float | None:
    try:
        return value if value is None else float(value)
    except ValueError:
        return value


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Else a free one."
)
@click.option(
    "--accounts",
    type=click.IntRange(min=0),
    default=25,
    show_default=True,
    metavar="N",
    help="Linked accounts to begin with.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed, the same accounts.",
)
@click.option(
    "--rate-limit",
    callback=_parse_rate,
    metavar="R",
    help="Requests a second, or Stripe's 'sandbox' or 'live' limits.",
)
@click.option(
    "--settle-seconds",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="A refresh takes up to this long.",
)
@click.option(
    "--failure-rate",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Of refreshes that fail.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_parse_faults,
    metavar="JSON",
    help='Such as {"operation": "refresh", "kind": "status", "status": 500}.',
)
@click.option("--webhook-url", metavar="URL", help="Send signed events there.")
@click.option("--webhook-secret", metavar="WHSEC", help="Sign them with this secret.")
@click.option("--state", type=click.Path(dir_okay=False), help="Load from, and save to, this file.")
@runs_async
async def sandbox(**options: Any) -> None:
    """Serve a local Financial Connections API until Ctrl-C.

    Point any Stripe client at the printed URL with the printed key; open the URL in a browser to
    look inside.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with _make(options) as server:
            click.echo(f"url: {server.url}")
            click.echo(f"key: {server.api_key}")
            if options["webhook_url"] and not options["webhook_secret"]:
                click.echo(f"webhook secret: {server.webhook_secret}")
            await stop.wait()
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        sentence = f"port {options['port']} is taken; --port 0 finds a free one"
        raise Failure(sentence if is_taken else str(error)) from error


def _make(options: dict[str, Any]) -> Sandbox:
    try:
        return Sandbox(**options)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
