"""``fcasync sandbox``: a local Financial Connections server for tests in any language."""

import asyncio
import json
import signal
from typing import Any

import click

from fcasync.cli._common import runs_async
from fcasync.sandbox import Sandbox


def _parse_faults(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    try:
        return [json.loads(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from error


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 picks a free one.")
@click.option("--accounts", type=click.IntRange(min=0), default=25, show_default=True)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed, the same data."
)
@click.option("--rate-limit", type=float, help="Requests a second; 25 is Stripe's sandbox.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_parse_faults,
    metavar="JSON",
    help='Such as {"operation": "refresh", "kind": "status", "status": 500}.',
)
@click.option("--state", type=click.Path(dir_okay=False), help="Load from, and save to, this file.")
@runs_async
async def sandbox(
    port: int,
    accounts: int,
    seed: int,
    rate_limit: float | None,
    faults: list[Any],
    state: str | None,
) -> None:
    """Serve a local Financial Connections API until Ctrl-C.

    Point any Stripe client at the printed URL with the printed key; open the URL in a browser to
    look inside.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(
        accounts=accounts, seed=seed, port=port, rate_limit=rate_limit, faults=faults, state=state
    ) as server:
        click.echo(f"url: {server.url}")
        click.echo(f"key: {server.api_key}")
        await stop.wait()
