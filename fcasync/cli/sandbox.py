"""``fcasync sandbox``: a local Financial Connections server for tests in any language."""

import asyncio
import errno
import json
import math
import signal
from collections.abc import Iterator
from typing import Any

import click

from fcasync.cli._common import SOME_FAILED, USAGE, Failure, in_options, runs_async
from fcasync.cli._values import Number, Whole
from fcasync.sandbox import SCENARIOS, Sandbox
from fcasync.sandbox._api.rates import PRESETS


def _parse_faults(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    try:
        return [json.loads(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from error


def _parse_rate(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | float | None:
    if value is None or value in PRESETS:
        return value
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise click.BadParameter(
            f"{value!r} is neither a number of requests a second nor {' or '.join(PRESETS)}"
        )
    return rate


@click.command()
@click.option(
    "--port",
    type=Whole(0, 65535),
    default=0,
    metavar="N",
    help="Port to listen on (default: any free port).",
)
@click.option(
    "--accounts",
    type=Whole(min=0),
    default=25,
    show_default=True,
    metavar="N",
    help="Number of linked accounts at the start.",
)
@click.option(
    "--seed",
    type=Whole(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the generated data; the same seed makes the same accounts.",
)
@click.option(
    "--rate-limit",
    callback=_parse_rate,
    metavar="R",
    help="Requests per second, or 'sandbox' or 'live' for Stripe's limits (default: no limit).",
)
@click.option(
    "--settle-seconds",
    type=Number(min=0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time that a refresh takes.",
)
@click.option(
    "--failure-rate",
    type=Number(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Share of refreshes that fail, 0 to 1 (default: 0).",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_parse_faults,
    metavar="JSON",
    help=(
        "Fault to inject, such as "
        '{"operation": "refresh", "kind": "status", "status": 500}; may be repeated.'
    ),
)
@click.option("--webhook-url", metavar="URL", help="URL to send signed events to.")
@click.option(
    "--webhook-secret", metavar="WHSEC", help="Secret to sign events with (default: a printed one)."
)
@click.option("--webhook-thin", is_flag=True, help="Send thin events in place of snapshot events.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    metavar="NAME",
    help=(
        "Rare moment to start with, on an account of its own, which is printed: "
        f"{', '.join(SCENARIOS)}; may be repeated."
    ),
)
@click.option(
    "--state", type=click.Path(dir_okay=False), help="File to load the state from and save it to."
)
@runs_async
async def sandbox(scenarios: tuple[str, ...], **options: Any) -> None:
    """Serve a local Financial Connections API until Ctrl-C.

    Point any Stripe client at the printed URL, with the printed key; the printed line that begins
    with export does so for every command and every fcasync.Client() in another terminal. Open the
    URL in a browser to watch the accounts and requests.
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
            for name, account_id in _play(server, scenarios):
                click.echo(f"{name}: {account_id}")
            # To paste into the terminal in which the client will run.
            click.echo(f"export STRIPE_API_BASE={server.url} STRIPE_API_KEY={server.api_key}")
            await stop.wait()
    except ValueError as error:
        raise Failure(f"--state: {error}", USAGE) from error
    except OSError as error:
        is_busy = error.errno == errno.EADDRINUSE
        raise Failure(_sentence(error, options), SOME_FAILED if is_busy else USAGE) from error


def _play(server: Sandbox, scenarios: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Play each scenario on the newest account that it fits and that no other was played on."""
    store = server.world.store
    free = [store.seed.account_ids.encode(number) for number in reversed(range(store.total))]
    for name in scenarios:
        account_id = next((each for each in free if _fits(server, each, name)), None)
        if account_id is None:
            raise Failure(f"--scenario: {name} does not fit any free account; use more --accounts")
        free.remove(account_id)
        yield name, account_id


def _fits(server: Sandbox, account_id: str, name: str) -> bool:
    """Play scenario *name* on an account; return False if it does not fit the account."""
    try:
        server.scenario(account_id, name)
    except ValueError:
        return False
    return True


def _sentence(error: OSError, options: dict[str, Any]) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {options['port']} is in use; --port 0 picks a free one"
    if error.errno == errno.ELOOP:
        return f"--state: {options['state']} is a link; name the file itself"
    if error.filename is not None:
        return f"--state: cannot use {options['state']}: {error.strerror}"
    return str(error)


def _make(options: dict[str, Any]) -> Sandbox:
    if options["webhook_secret"] and not options["webhook_url"]:
        raise click.UsageError("--webhook-secret needs --webhook-url, where events are sent")
    try:
        return Sandbox(**options)
    except (ValueError, TypeError) as error:
        raise click.UsageError(in_options(str(error))) from error
