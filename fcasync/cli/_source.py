"""Which accounts a bulk job is about."""

from collections.abc import AsyncIterable, Iterable
from pathlib import Path

import attrs
import click

from fcasync.bulk import Tenants, read_journal
from fcasync.bulk._journal.header import MANY
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import read_job
from fcasync.cli._ids import read_ids
from fcasync.cli._tenants import read_tenants
from fcasync.client import Client
from fcasync.models import Account


@attrs.frozen(kw_only=True)
class Source:
    """Which accounts a job is about; exactly one of the ways to name them is used."""

    ids: tuple[str, ...]
    file: str | None
    everything: bool
    tenants: str | None
    journal: str | None = None
    failed_only: bool | None = None
    """Whether to take those that failed in *journal*; None for a job without journals."""

    def check(self) -> None:
        """Check that there is exactly one source."""
        ways = (self.ids, self.file, self.everything, self.tenants, self.failed_only)
        if sum(map(bool, ways)) != 1:
            names = "account ids, --from FILE, --all, --tenants FILE"
            more = "" if self.failed_only is None else ", --failed-only"
            raise click.UsageError(f"choose exactly one of: {names}{more}")
        if self.failed_only and not self.journal:
            raise click.UsageError("--failed-only needs --journal, which holds the failures")

    async def accounts(
        self, client: Client
    ) -> Iterable[str] | AsyncIterable[str | Account] | Tenants:
        """Return the accounts, consumed only as fast as they are processed."""
        if self.tenants is not None:
            return await read_tenants(self.tenants)
        if self.file is not None:
            return read_ids(self.file)
        if self.failed_only and self.journal:
            return _failed(self.journal)
        return client.accounts.list() if self.everything else self.ids


def _failed(journal: str) -> list[str] | Tenants:
    """Return the accounts of *journal* that have failed, and those that have no outcome."""
    # Lists, because the job cannot open a journal that is still being read.
    rows = [
        (row.stripe_account, row.account_id)
        for row in read_journal(journal)
        if row.status == "failed"
    ]
    rows += [(row.stripe_account, row.account_id) for row in read_unfinished(journal)]
    if read_job(Path(journal))[0].stripe_account != MANY:
        return [account_id for _, account_id in rows]
    tenants: dict[str, list[str]] = {}
    for tenant, account_id in rows:
        tenants.setdefault(tenant or "", []).append(account_id)
    return Tenants(tenants)
