"""``fcasync refresh``: the bulk job that most people run."""

from typing import Any

import click

from fcasync.cli._bulk import run_job
from fcasync.cli._command import Command, examples
from fcasync.cli._common import features_option, runs_async
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._job_options import bulk_options, max_age_option
from fcasync.cli._output import output_option
from fcasync.cli._place import Place
from fcasync.cli._values import POSITIVE, Whole


@click.command(
    cls=Command,
    epilog=examples(
        "refresh --all --features balance --journal refresh-$(date +%F).sqlite --wait",
        "refresh --from ids.txt --features balance,transactions --output jsonl",
        "refresh --tenants tenants.txt --features balance --journal refresh-$(date +%F).sqlite",
    ),
)
@bulk_options
@features_option("balance", "ownership", "transactions", required=False)
@click.option("--wait", is_flag=True, help="Wait until the banks have answered.")
@click.option(
    "--wait-timeout",
    type=POSITIVE,
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait for each bank.",
)
@max_age_option("Skip what was refreshed successfully more recently")
@click.option(
    "--cluster",
    metavar="[=ADDRESS]",
    help="Work on the Dask scheduler at ADDRESS (default: on processes of this machine).",
)
@click.option(
    "--workers",
    type=Whole(min=1),
    metavar="N",
    help="Processes of --cluster to start, or to wait for (default: one for each core).",
)
@output_option
@connection_options
@runs_async
async def refresh(
    connection: Connection,
    output: str,
    cluster: str | None,
    workers: int | None,
    **options: Any,
) -> int:
    """Refresh any number of accounts, each exactly once.

    With --journal the job can be stopped or killed at any moment: the same command resumes it.
    A journal is one job; to refresh the same accounts again, name a new one. --output json, jsonl
    and csv print the outcome of every account.
    """
    return await run_job("refresh", connection, Place(cluster, workers), output, options)
