"""A job that is killed again and again, over real sockets, against a server that fails as well."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import read_journal
from fcasync.sandbox import Sandbox
from tests._paths import ROOT
from tests.bulk.work._job import REFUSED

IS_EXHAUSTIVE = "FCASYNC_EXHAUSTIVE" in os.environ
ACCOUNTS, KILLS = (5000, 20) if IS_EXHAUSTIVE else (80, 2)
DAY_AND_A_BIT = 30 * 3600.0
FAULTS: list[dict[str, Any]] = [
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "truncate"},
    {"kind": "garbage"},
    {"kind": "status", "status": 500, "executed": True},
    {"kind": "status", "status": 500, "executed": False},
    {"kind": "status", "status": 503, "executed": True},
    {"kind": "status", "status": 503, "executed": False},
    {"kind": "delay", "seconds": 0.2, "executed": False},
]


class Job:
    """The same command, started as often as it takes."""

    def __init__(self, sandbox: Sandbox, journal: Path) -> None:
        self.sandbox = sandbox
        self.journal = journal
        store = sandbox.world.store
        self.list = journal.with_name("ids")
        self.ids = [store.account(number, 0.0)["id"] for number in range(ACCOUNTS)]
        self.list.write_text("\n".join(self.ids))

    async def start(self, *flags: str) -> asyncio.subprocess.Process:
        sandbox = self.sandbox
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bulk.work._job",
            sandbox.url,
            sandbox.api_key,
            str(self.journal),
            str(self.list),
            *flags,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def kill_after(self, requests: int) -> None:
        """Let it run until it has sent so many more requests, then SIGKILL it."""
        target = self.sandbox.world.ledger.requests + requests
        process = await self.start()
        while self.sandbox.world.ledger.requests < target and process.returncode is None:
            await asyncio.sleep(0.002)
        if process.returncode is None:
            process.kill()
        await process.communicate()

    async def finish(self, *flags: str) -> dict[str, Any] | None:
        """Let it run to its end and return its report; None if it refuses the journal."""
        process = await self.start(*flags)
        out, _ = await process.communicate()
        if process.returncode == REFUSED:
            return None
        assert process.returncode == 0
        report: dict[str, Any] = json.loads(out)
        return report

    def check(self) -> None:
        """Compare what was done with what was reported: once each, and every account reported."""
        executed = Counter(self.sandbox.executions("refresh"))
        outcomes = {outcome.account_id: outcome for outcome in read_journal(self.journal)}
        assert set(outcomes) == set(self.ids)
        for account_id, outcome in outcomes.items():
            if outcome.status == "succeeded":
                assert executed[account_id] == 1, outcome
            else:
                assert outcome.reason in ("unconfirmed", "stored_error")
                assert executed[account_id] <= 1, outcome

    async def repeat_the_failed(self) -> None:
        """Without faults nothing stays failed, and still nothing is done twice."""
        self.sandbox.clear_faults()
        report = await self.finish("retry_failed")
        assert report is not None
        assert report["by_status"]["succeeded"] == report["total"] == ACCOUNTS
        assert Counter(self.sandbox.executions("refresh")) == Counter(self.ids)


def new_sandbox() -> Sandbox:
    """Return a server on which every refresh counts, because none joins or blocks another."""
    return Sandbox(
        accounts=ACCOUNTS,
        varied=False,
        settle_seconds=0.0,
        refresh_cooldown=0.0,
        faults=[{**fault, "probability": 0.1 if IS_EXHAUSTIVE else 0.03} for fault in FAULTS],
        rate_limit=150,
    )


@pytest.mark.parametrize("gap", [0.0, DAY_AND_A_BIT] if IS_EXHAUSTIVE else [DAY_AND_A_BIT])
async def test_killed_at_any_moment_every_account_is_refreshed_once(
    tmp_path: Path, gap: float
) -> None:
    """SIGKILL, the same command again, and in the end exactly one refresh of each account.

    With a gap of 30 hours between two of the restarts Stripe has forgotten all keys.
    """
    rng = random.Random(gap)
    async with new_sandbox() as sandbox:
        job = Job(sandbox, tmp_path / "job.sqlite")
        for number in range(KILLS):
            await job.kill_after(rng.randrange(2 * ACCOUNTS // KILLS) + 1)
            if number == KILLS // 2:
                sandbox.advance(gap)
        report = await job.finish()
        assert report is not None
        assert report["total"] == ACCOUNTS
        assert report["unfinished"] == 0
        job.check()
        await job.repeat_the_failed()


async def test_a_journal_that_lost_its_end_repeats_nothing(tmp_path: Path) -> None:
    """Its log cut anywhere, and all keys forgotten: still one refresh of each account."""
    rng = random.Random(3)
    path = tmp_path / "job.sqlite"
    log = path.with_name("job.sqlite-wal")
    async with new_sandbox() as sandbox:
        job = Job(sandbox, path)
        for _ in range(KILLS):
            await job.kill_after(rng.randrange(ACCOUNTS // KILLS) + 1)
            if log.exists():
                os.truncate(log, rng.randrange(log.stat().st_size + 1))
                sandbox.advance(DAY_AND_A_BIT)
        if await job.finish() is None:
            assert set(sandbox.executions("refresh").values()) <= {1}
            return
        job.check()
        await job.repeat_the_failed()
