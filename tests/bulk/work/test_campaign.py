"""A small campaign; the large one is ``python -m tests.bulk.work.campaign``."""

import os
import subprocess
import sys

import pytest

from tests._paths import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="its runs are forked")
@pytest.mark.parametrize(
    "more", [[], ["--tenants", "6"], ["--tenants", "4", "--lose"]], ids=" ".join
)
def test_killed_runs_do_nothing_twice_and_lose_nothing(more: list[str]) -> None:
    """With and without waiting, under each way for the clock to go, for one account and many."""
    count = "2" if more else "3"
    small = ["--histories", count, "--kills", "3", "--accounts", "60", "--seed", "7", *more]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bulk.work.campaign", *small],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" 0 violations")
