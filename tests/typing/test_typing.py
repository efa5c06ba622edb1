"""The types of the public names, as a strict type checker sees them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fcasync
import fcasync.blocking

pytest.importorskip("mypy", reason="needs mypy")

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def test_mypy_finds_the_right_types_and_the_mistakes() -> None:
    """Every assert_type holds, and mypy rejects every line marked as a mistake."""
    files = [HERE / "api.py", HERE / "mistakes.py"]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-warn-unused-configs",
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("Success: no issues found in 2 source files\n", "")


def test_every_method_of_the_client_is_used() -> None:
    """A method that api.py does not call could lose its type unnoticed."""
    tree = ast.parse((HERE / "api.py").read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    client = fcasync.Client("sk_test_1")
    resources: tuple[object, ...] = (
        client,
        client.accounts,
        client.bulk,
        client.sessions,
        client.transactions,
    )
    resources += tuple(getattr(fcasync.blocking, name) for name in fcasync.blocking.__all__)
    methods = {name for each in resources for name in dir(each) if not name.startswith("_")}
    assert methods - used == set()
