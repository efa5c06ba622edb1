"""Which accounts a bulk job is about."""

import asyncio
from collections.abc import AsyncIterable, Iterable
from pathlib import Path

import attrs
import click

from fcasync.bulk import Tenants
from fcasync.cli._failed import (
    Open,
    features_in,
    has_finished,
    how_many,
    open_accounts,
    source_of_open,
)
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
        if self.failed_only and self.journal:
            found = await self._open_in(self.journal)
            return source_of_open(self.journal, found, is_for_many=self.tenants is not None)
        if self.tenants is not None:
            return await read_tenants(self.tenants)
        return self.ids if self.file is None else read_ids(self.file)

    def leaves_some_out(self) -> bool:
        """Return whether the journal's job has not finished, so that ``--failed-only`` is no end.

        Accounts that it never read are not in the journal, and deferred ones have not failed.
        """
        return bool(self.failed_only and self.journal and not has_finished(self.journal))

    async def _open_in(self, journal: str) -> Open:
        """Return what failed or is unfinished in *journal*, of what the user has named."""
        tenants = None if self.tenants is None else await read_tenants(self.tenants)
        return await open_accounts(journal, among=await self._chosen(), tenants=tenants)

    async def _chosen(self) -> set[str] | None:
        """Return the ids that the user has named; None for all."""
        if self.file is None:
            return {*self.ids} or None
        return {each if isinstance(each, str) else each.id async for each in read_ids(self.file)}

    async def whom(self) -> str:
        """Return what stands for the accounts in a question, such as ``all accounts``."""
        if self.failed_only and self.journal:
            return await self._whom_in(self.journal)
        if self.tenants is not None:
            return f"the accounts of the tenants in {_name(self.tenants)}"
        if self.file is not None:
            # Whoever has named the wrong file sees it by the number.
            return f"{await _count(self.file)} in {_name(self.file)}"
        if self.ids:
            return self.ids[0] if len(self.ids) == 1 else f"{len(self.ids)} accounts"
        return "all accounts"

    async def _whom_in(self, journal: str) -> str:
        """Return the same for accounts in *journal*: how many, and of which kinds."""
        narrowing = self.file or self.tenants
        if narrowing is None or await _is_file(narrowing):
            return f"{how_many(await self._open_in(journal))} in {journal}"
        # A pipe can be read only once, and the job is to read it.
        most = how_many(await open_accounts(journal))
        return f"those named by {_name(narrowing)} among the {most} in {journal}"


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


async def _count(file: str) -> str:
    """Return how many accounts are in *file*, unless it can be read only once."""
    if not await _is_file(file):
        return "the accounts"
    count = sum([1 async for _ in read_ids(file)])
    return f"{count} account" if count == 1 else f"{count} accounts"


async def _is_file(name: str) -> bool:
    return await asyncio.to_thread(Path(name).is_file)
