"""Which accounts a bulk job is about."""

import asyncio
from collections.abc import AsyncIterable, Iterable
from pathlib import Path

import attrs
import click

from fcasync.bulk import Tenants
from fcasync.cli._failed import failed_accounts, failed_of_tenants, features_in
from fcasync.cli._ids import read_ids
from fcasync.cli._journal_file import check_journal
from fcasync.cli._tenants import read_tenants
from fcasync.client import Client
from fcasync.models import Account


@attrs.frozen(kw_only=True)
class Source:
    """Which accounts a job is about; exactly one of the ways to name them is used.

    With *failed_only* the journal names them, and any other way leaves only some of those.
    """

    ids: tuple[str, ...]
    file: str | None
    everything: bool
    tenants: str | None
    journal: str | None = None
    failed_only: bool | None = None
    """Whether to take those that failed in *journal*; None for a job without journals."""

    def check(self) -> None:
        """Check that there is exactly one source, and that the journal may be one."""
        count = sum(map(bool, (self.ids, self.file, self.everything, self.tenants)))
        if count > 1 or not (count or self.failed_only):
            names = "account ids, --from FILE, --all, --tenants FILE"
            more = "" if self.failed_only is None else "; or --failed-only, alone or with one"
            raise click.UsageError(f"choose exactly one of: {names}{more}")
        if self.failed_only and not self.journal:
            raise click.UsageError("--failed-only needs --journal, which holds the failures")
        if self.journal is not None:
            check_journal(self.journal)

    def features(self, words: list[str]) -> list[str]:
        """Return the features of the job: *words*, or else those that the journal knows.

        Raises:
            UsageError: Nobody has said which.
        """
        if words:
            return words
        if self.failed_only and self.journal:
            return features_in(self.journal)
        raise click.UsageError("missing option --features, which says what the job is about")

    async def accounts(
        self, client: Client
    ) -> Iterable[str] | AsyncIterable[str | Account] | Tenants:
        """Return the accounts, consumed only as fast as they are processed."""
        if self.everything and not self.failed_only:
            return client.accounts.list()
        return await self.named()

    async def named(self) -> Iterable[str] | AsyncIterable[str | Account] | Tenants:
        """Return the same without a client: those that are not simply all."""
        tenants = None if self.tenants is None else await read_tenants(self.tenants)
        if self.failed_only and self.journal:
            if tenants is not None:
                return await failed_of_tenants(self.journal, tenants)
            return failed_accounts(self.journal, await self._chosen())
        if tenants is not None:
            return tenants
        return self.ids if self.file is None else read_ids(self.file)

    async def _chosen(self) -> set[str] | None:
        """Return the ids that the user has named; None for all."""
        if self.file is None:
            return {*self.ids} or None
        return {each if isinstance(each, str) else each.id async for each in read_ids(self.file)}

    async def whom(self) -> str:
        """Return what stands for the accounts in a question, such as ``all accounts``."""
        if self.failed_only:
            return f"the failed accounts in {self.journal}"
        if self.tenants is not None:
            return f"the accounts of the tenants in {_name(self.tenants)}"
        if self.file is not None:
            # Whoever has named the wrong file sees it by the number.
            return f"{await _count(self.file)} in {_name(self.file)}"
        if self.ids:
            return self.ids[0] if len(self.ids) == 1 else f"{len(self.ids)} accounts"
        return "all accounts"


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


async def _count(file: str) -> str:
    """Return how many accounts are in *file*, unless it can be read only once."""
    if not await asyncio.to_thread(Path(file).is_file):
        return "the accounts"
    count = sum([1 async for _ in read_ids(file)])
    return f"{count} account" if count == 1 else f"{count} accounts"
