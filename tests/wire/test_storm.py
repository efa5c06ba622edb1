"""A small storm; the large one is ``python -m tests.wire.storm``."""

import os
import subprocess
import sys

import pytest

from tests._paths import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="its server is forked")
@pytest.mark.parametrize("way", [[], ["--documented"]], ids=["lean", "documented"])
def test_nothing_is_crossed_and_nothing_left_over(way: list[str]) -> None:
    """Two loops, one client, faults, strays, cancellations: the script says what must hold."""
    small = ["--calls", "1500", "--seed", "7", "--lateness", "unjudged"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.wire.storm", *small, *way],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
