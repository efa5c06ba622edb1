"""``fcasync refresh --cluster``."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from tests._paths import ROOT
from tests.cluster._stripe import KEY, accounts, serving, tenant


async def fcasync(*words: str, key: str | None = KEY) -> tuple[int | None, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if key is not None:
        environment["STRIPE_API_KEY"] = key
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "fcasync", "refresh", "--features", "balance", *words],
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command_refreshes_tenants_on_workers_of_this_machine(tmp_path: Path) -> None:
    """The same file of tenants, the same journal, and one more option."""
    (tmp_path / "tenants").write_text("".join(f"{tenant(n)}\n" for n in range(2)))
    with serving(tmp_path, tenants=2, each=20) as stripe:
        code, out, err = await fcasync(
            *["--tenants", str(tmp_path / "tenants"), "--journal", str(tmp_path / "j")],
            *["--base-url", stripe.url, "--cluster", "--workers", "1", "--output", "jsonl"],
        )
        assert code == 0, err
        assert all(account_id in out for n in range(2) for account_id in accounts(n, 20))
        assert stripe.executions() == {1: 40}
        assert KEY not in out + err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--all", "--cluster"], "--cluster needs --tenants FILE and --journal FILE"),
        (["--tenants", "t", "--cluster"], "--cluster needs --tenants FILE and --journal FILE"),
        (["--all", "--workers", "2"], "--workers belongs to --cluster"),
        (
            [
                *["--tenants", "TENANTS", "--journal", "JOURNAL", "--api-key", KEY],
                "--cluster=tcp://127.0.0.1:1",
            ],
            "have their own STRIPE_API_KEY",
        ),
    ],
)
async def test_what_does_not_go_together_is_said(
    words: list[str], sentence: str, tmp_path: Path
) -> None:
    """Before anything is started; the exit code is 2."""
    (tmp_path / "t").write_text("acct_1\n")
    places = {"TENANTS": str(tmp_path / "t"), "JOURNAL": str(tmp_path / "j")}
    code, _, err = await fcasync(*[places.get(word, word) for word in words])
    assert (code, sentence in err) == (2, True), err
    assert KEY not in err
