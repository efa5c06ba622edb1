"""The accounts that have failed in a journal: what ``--failed-only`` takes."""

from collections.abc import Collection
from pathlib import Path

from fcasync.bulk import Tenants, read_journal
from fcasync.bulk._journal.header import MANY
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import read_job


def features_in(journal: str) -> list[str]:
    """Return the features of the job of *journal*; none if its operation has none."""
    return [word for word in read_job(Path(journal))[0].features.split(",") if word]


def failed_accounts(journal: str, among: Collection[str] | None) -> list[str] | Tenants:
    """Return the accounts of *journal* that have failed, and those that have no outcome.

    Args:
        journal: The file.
        among: Only these; None for all of them.
    """
    failed = _by_tenant(journal)
    if among is not None:
        failed = {
            tenant: [each for each in accounts if each in among]
            for tenant, accounts in failed.items()
        }
    if read_job(Path(journal))[0].stripe_account == MANY:
        return Tenants(failed)
    return failed.get("", [])


async def failed_of_tenants(journal: str, tenants: Tenants) -> Tenants:
    """Return the same for *tenants* only; of one that has accounts with it, for those only."""
    failed, found = _by_tenant(journal), dict[str, list[str]]()
    async for tenant, accounts in tenants.read():
        rows = failed.get(tenant, [])
        found[tenant] = rows if accounts is None else sorted({*rows}.intersection(accounts))
    return Tenants({tenant: rows for tenant, rows in found.items() if rows})


def _by_tenant(journal: str) -> dict[str, list[str]]:
    # Lists, because the job cannot open a journal that is still being read.
    found: dict[str, list[str]] = {}
    for outcome in read_journal(journal):
        if outcome.status == "failed":
            found.setdefault(outcome.stripe_account or "", []).append(outcome.account_id)
    for row in read_unfinished(journal):
        found.setdefault(row.stripe_account or "", []).append(row.account_id)
    return found
