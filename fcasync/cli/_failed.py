"""The accounts without success in a journal: what ``--failed-only`` takes."""

from collections import Counter
from collections.abc import Set as AbstractSet
from pathlib import Path

from fcasync.bulk import Tenants, read_journal
from fcasync.bulk._journal.header import MANY
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import read_job

Open = dict[str, dict[str, str]]
"""Of each connected account (empty for the key's own): its accounts, and of which kind they are."""


def features_in(journal: str) -> list[str]:
    """Return the features of the job of *journal*; none if its operation has none."""
    return [word for word in read_job(Path(journal))[0].features.split(",") if word]


def has_finished(journal: str) -> bool:
    """Return whether nothing was left to do when the job of *journal* last ran."""
    return read_job(Path(journal))[1].finished_at is not None


async def open_accounts(
    journal: str, *, among: AbstractSet[str] | None = None, tenants: Tenants | None = None
) -> Open:
    """Return the accounts of *journal* that have failed, and those that have no outcome.

    Args:
        journal: The file.
        among: Only these; None for all of them.
        tenants: Only those of these tenants; of one that has accounts with it, only those.
    """
    found = _open_by_tenant(journal)
    if tenants is not None:
        found = {
            tenant: _among(found.get(tenant, {}), None if accounts is None else {*accounts})
            async for tenant, accounts in tenants.read()
        }
    found = {tenant: _among(rows, among) for tenant, rows in found.items()}
    return {tenant: rows for tenant, rows in found.items() if rows}


def source_of_open(journal: str, found: Open, *, is_for_many: bool = False) -> list[str] | Tenants:
    """Return what was *found* in *journal* as the source of its job, or of one over tenants."""
    if is_for_many or read_job(Path(journal))[0].stripe_account == MANY:
        return Tenants({tenant: [*rows] for tenant, rows in found.items()})
    return [*found.get("", {})]


def how_many(found: Open) -> str:
    """Return the number of each kind, such as ``2 failed and 1 unfinished accounts``."""
    kinds = Counter(kind for rows in found.values() for kind in rows.values())
    words = " and ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "0 failed"
    return f"{words} {'account' if kinds.total() == 1 else 'accounts'}"


def _among(rows: dict[str, str], wanted: AbstractSet[str] | None) -> dict[str, str]:
    if wanted is None:
        return rows
    return {account: kind for account, kind in rows.items() if account in wanted}


def _open_by_tenant(journal: str) -> Open:
    # At once, because the job cannot open a journal that is still being read.
    found: Open = {}
    for outcome in read_journal(journal):
        if outcome.status == "failed":
            found.setdefault(outcome.stripe_account or "", {})[outcome.account_id] = "failed"
    for row in read_unfinished(journal):
        found.setdefault(row.stripe_account or "", {})[row.account_id] = "unfinished"
    return found
