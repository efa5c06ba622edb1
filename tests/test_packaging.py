"""What the package says of itself to installers: dependencies, versions, addresses."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from fcasync import __version__
from tests._paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

# Where the name to import is not the name to install.
INSTALLED_AS = {"markdown_it": "markdown-it-py", "opentelemetry": "opentelemetry-api"}
# The extra that a folder or file of the package may need, beside the dependencies of all.
LEAVES = {
    "cli": "cli",
    "cluster": "cluster",
    "mirror": "mirror",
    "otel": "otel",
}
# A part of a room that needs more than the room: a bar in a terminal, a command, a table, a page.
ELSEWHERE = {
    ("bulk", "rich"),
    ("cli", "sqlalchemy"),
    ("models", "pyarrow"),
    ("pytest_plugin.py", "pytest"),
    ("sandbox", "markdown-it-py"),
}
ROOMS = sorted(
    path.name
    for path in (ROOT / "fcasync").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
)


def names(requirements: list[str]) -> set[str]:
    """Return what is required, without versions, extras and markers."""
    return {re.split(r"[\s<>=!~;\[]", each, maxsplit=1)[0] for each in requirements}


def imports(path: Path) -> set[str]:
    """Return the packages from outside that a file imports, by the names to install."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.split(".")[0])
    found -= {*sys.stdlib_module_names, "fcasync"}
    return {INSTALLED_AS.get(name, name) for name in found}


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_imported_is_declared(room: str) -> None:
    """A package that only another one brings could disappear with that one's next release."""
    place = ROOT / "fcasync" / room
    files = [place] if place.suffix == ".py" else sorted(place.rglob("*.py"))
    extra = EXTRAS[LEAVES[room]] if room in LEAVES else []
    declared = names(PROJECT["dependencies"]) | names(extra)
    declared |= {name for where, name in ELSEWHERE if where == room}
    assert set().union(*map(imports, files)) - declared == set()


def test_every_dependency_is_imported() -> None:
    """Nobody installs what is not used."""
    used = set().union(*(imports(path) for path in (ROOT / "fcasync").rglob("*.py")))
    assert names(PROJECT["dependencies"]) - used == set()


def test_the_newest_heading_of_the_changelog_is_this_version_or_unreleased() -> None:
    """A release that is not described is not made."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", __version__)


def test_every_version_that_is_claimed_can_be_installed() -> None:
    """The oldest Python that is claimed is the oldest that an installer accepts."""
    claimed = [
        tuple(map(int, version.split(".")))
        for each in PROJECT["classifiers"]
        if re.fullmatch(r"\d+\.\d+", version := each.rpartition(" :: ")[2])
    ]
    oldest = ".".join(map(str, min(claimed)))
    assert PROJECT["requires-python"] == f">={oldest}"
