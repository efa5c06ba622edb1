"""Where a bulk job runs: in this process, or on a cluster."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType
from typing import Any

import attrs
import click

from fcasync.bulk import BulkRun
from fcasync.cli._common import USAGE, Failure
from fcasync.cli._connection import Connection
from fcasync.cli._source import Source


@attrs.frozen
class Place:
    """Where a job runs."""

    cluster: str | None = None
    """Address of a scheduler; empty for workers on this machine; None for this process."""
    workers: int | None = None

    def check(self, source: Source) -> None:
        """Check that the cluster can do what is asked for."""
        if self.cluster is None:
            if self.workers is not None:
                raise click.UsageError("--workers belongs to --cluster")
        elif source.tenants is None or source.journal is None:
            raise click.UsageError("--cluster needs --tenants FILE and --journal FILE")

    @asynccontextmanager
    async def open(
        self, verb: str, connection: Connection, source: Source
    ) -> AsyncIterator[tuple[Any, Callable[..., BulkRun]]]:
        """Open what is needed; yield the accounts, and what makes a run from them."""
        if self.cluster is None or source.tenants is None:
            async with connection.open() as client:
                yield await source.accounts(client), getattr(client.bulk, verb)
            return
        refresh = partial(_cluster().refresh, workers=self.workers)
        tenants = await source.named()
        if self.cluster:
            if connection.api_key is not None or connection.sandbox is not None:
                raise click.UsageError(
                    "the workers of a scheduler have their own STRIPE_API_KEY; drop --api-key and "
                    "--sandbox"
                )
            options = {"base_url": connection.base_url} if connection.base_url else {}
            yield tenants, partial(refresh, scheduler=self.cluster, client_options=options)
            return
        async with connection.open() as client:
            key, url = client._options.api_key.reveal(), client._options.base_url
            yield tenants, partial(refresh, api_key=key, client_options={"base_url": url})


HERE = Place()
"""This process."""


def _cluster() -> ModuleType:
    try:
        from fcasync import cluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Failure(str(error), USAGE) from error
    return cluster
