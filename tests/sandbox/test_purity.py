"""What the sandbox may know: nothing of the client, and above the wire nothing of the machine."""

import ast
from pathlib import Path

import pytest

import fcasync.sandbox

FOLDER = Path(fcasync.sandbox.__file__).parent
WITH_SOCKETS = {"__init__", "_app", "_sandbox", "_thread", "_webhooks", "_wire"}
MODULES = sorted(path for path in FOLDER.glob("*.py") if path.stem not in WITH_SOCKETS)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_worlds_know_no_clock_no_dice_and_no_socket(path: Path) -> None:
    """Everything but the wire is a function of its arguments."""
    roots = {name.partition(".")[0] for name in imported(path)}

    assert roots.isdisjoint({"time", "random", "secrets", "asyncio", "aiohttp", "socket"})


def test_nothing_is_a_pickle() -> None:
    """No file that a stranger could have written is ever executed."""
    assert not any({"pickle", "shelve", "marshal"} & imported(path) for path in FOLDER.glob("*.py"))
