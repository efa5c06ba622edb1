"""A fuzzer that reads the documents finds nothing: no 5xx, nothing undescribed, no bad input taken.

Two of its checks are off, for there Stripe disagrees with them: an unknown method is a 404, and a
schema cannot say which ids exist, so that well-formed requests are refused.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests._paths import DATA

STRIPES = DATA / "spec" / "fc_openapi.json"
UNFIT = "unsupported_method,positive_data_acceptance"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)


@pytest.mark.parametrize("document", ["own", "stripes"])
def test_a_fuzzer_finds_nothing(document: str, tmp_path: Path) -> None:
    """Whatever the documents allow, and much that they forbid, is answered as they say."""
    with Sandbox(threaded=True) as sandbox:
        source = f"{sandbox.url}/openapi.json" if document == "own" else str(STRIPES)
        options = ["--url", sandbox.url, "--exclude-checks", UNFIT, "--phases", "fuzzing"]
        options += ["--include-path-regex", "^/v1/", "--max-examples", "4", "--no-color"]
        options += ["--header", f"Authorization: Bearer {sandbox.api_key}", "--seed", "1"]
        command = [sys.executable, "-m", "schemathesis.cli", "run", source, *options]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
        )
        answered = len(sandbox.ledger)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert answered > 50
