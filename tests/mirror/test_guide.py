"""The guide's blocks, run in their order as a reader would."""

import asyncio
import json
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from fcasync.mirror import Mirror
from fcasync.mirror._location import locate
from fcasync.sandbox import Sandbox
from tests._paths import ROOT
from tests._reader import run
from tests.mirror.test_mirror import refreshed_bank

GUIDE = (ROOT / "fcasync" / "guide" / "mirror.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that the environment refers to, and an empty working directory."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(accounts=6, varied=False, settle_seconds=0.1, threaded=True) as sandbox:
        monkeypatch.setenv("STRIPE_API_KEY", sandbox.api_key)
        monkeypatch.setenv("STRIPE_API_BASE", sandbox.url)
        yield sandbox


async def test_the_guide_leads_to_a_table(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block of Python and the command run, in order, against an empty directory."""
    pytest.importorskip("pandas", reason="pandas is not installed: pip install '.[dev-full]'")
    pytest.importorskip("duckdb", reason="duckdb is not installed: pip install '.[dev-full]'")
    link, *rest = blocks("python")
    names = await run(link)
    listed = await _command(("accounts", "list", "--output", "json"))
    ids = [account["id"] for account in json.loads(listed)]
    arguments = ("sync", *ids, "--to", "sqlite:///bank.db", "--refresh", "transactions,balance")
    await _command(arguments)
    (command,) = [block for block in blocks("sh") if block.startswith("fcasync sync")]
    await _command(shlex.split(command)[1:])
    for code in rest:
        names = await run(code, **names)
    with closing(sqlite3.connect("bank.db")) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM transactions").fetchone()
    assert len(names["frame"]) == count > 0
    assert "fcsess_" in capsys.readouterr().out


async def _command(arguments: Sequence[str]) -> str:
    """Run a command in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fcasync", *arguments), stdout=asyncio.subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    assert process.returncode == 0, stdout
    return stdout.decode()


async def test_the_queries_run_in_both_databases(url: str) -> None:
    """The last balance is the bank's, and spending is positive."""
    bank = refreshed_bank(2, rows=0)
    for account in bank.accounts.values():
        ids = [f"fctxn_{account.id[4:]}_{number}" for number in range(5)]
        account.refresh({"id": name, "status": "posted"} for name in ids)
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list())
    running, spending = blocks("sql")
    engine = create_async_engine(locate(url))
    async with engine.connect() as connection:
        balances = (await connection.execute(text(running))).mappings().all()
        months = (await connection.execute(text(spending))).mappings().all()
    await engine.dispose()
    assert len(balances) == 10
    assert balances[4]["balance_after"] == balances[9]["balance_after"] == 10_000
    assert balances[3]["balance_after"] == 10_000 - balances[4]["amount"]
    assert [row["spent"] for row in months] == [5 * 1_250] * 2
