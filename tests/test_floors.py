"""The architecture, held by a walk over the imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fcasync"

# The longest matching prefix names a module's floor; lower floors never import higher ones.
FLOORS = {
    "fcasync._version": 0,
    "fcasync._redact": 0,
    "fcasync.errors": 0,
    "fcasync.hooks": 0,
    "fcasync._clock": 0,
    "fcasync._form": 0,
    "fcasync._signature": 0,
    "fcasync._html": 0,
    "fcasync._money": 0,
    "fcasync.models": 1,
    "fcasync._convert": 1,
    "fcasync._checks": 2,
    "fcasync._wire": 2,
    "fcasync._interpret": 2,
    "fcasync._retry": 2,
    "fcasync._limit": 2,
    "fcasync._cursor": 2,
    "fcasync.webhooks": 2,
    "fcasync._watch": 3,
    "fcasync._transport": 3,
    "fcasync._engine": 3,
    "fcasync.resources": 4,
    "fcasync.bulk": 4,
    "fcasync.client": 5,
    "fcasync": 6,
    "fcasync.cluster": 6,
    "fcasync.otel": 6,
    "fcasync.testing": 6,
    "fcasync.cli": 7,
    "fcasync.pytest_plugin": 7,
    "fcasync.__main__": 7,
}
SANDBOX = "fcasync.sandbox"
SANDBOX_MAY_IMPORT = {"fcasync._clock", "fcasync._form", "fcasync._signature"}
PURE = ("time", "random", "asyncio", "aiohttp")
ADAPTERS = {
    "aiohttp": {"fcasync._transport"},
    "tenacity": {"fcasync._engine"},
    "cattrs": {"fcasync._convert"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def floor(module: str) -> int | None:
    """Return a module's floor; None for the second tower."""
    if module == SANDBOX or module.startswith(SANDBOX + "."):
        return None
    known = [name for name in FLOORS if module == name or module.startswith(name + ".")]
    return FLOORS[max(known, key=len)]


def imports(path: Path) -> set[str]:
    """Return every module that *path* imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.add(inside if inside in MODULES else node.module)
    return found


def own(names: set[str]) -> set[str]:
    return {name for name in names if name == "fcasync" or name.startswith("fcasync.")}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_its_own_floor_or_below(module: str) -> None:
    """Dependencies point downwards, so that each floor can be read and tested without the next."""
    here = floor(module)
    targets = own(imports(MODULES[module])) - {module}
    if here is None:
        outside = {name for name in targets if floor(name) is not None}
        assert outside <= SANDBOX_MAY_IMPORT
        return
    too_high = {name for name in targets if (floor(name) or 0) > here}
    assert too_high == set()


@pytest.mark.parametrize("module", MODULES)
def test_floors_0_to_2_are_pure(module: str) -> None:
    """Rules and models know no clock, no dice, no loop and no socket; `_clock` is the exception."""
    here = floor(module)
    if here is None or here > 2 or module == "fcasync._clock":
        return
    roots = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert roots.isdisjoint(PURE)


@pytest.mark.parametrize("module", MODULES)
def test_a_library_has_one_adapter(module: str) -> None:
    """aiohttp, tenacity and cattrs are each imported by one file, so that each can be replaced."""
    if floor(module) is None:
        return
    roots = {name.partition(".")[0] for name in imports(MODULES[module])}
    for library, adapters in ADAPTERS.items():
        assert library not in roots or module in adapters


def test_only_tools_use_the_sandbox() -> None:
    """The client never depends on the server that it is tested against."""
    users = {m for m, path in MODULES.items() if any(n.startswith(SANDBOX) for n in imports(path))}
    below = {m for m in users if (f := floor(m)) is not None and f < 6}
    assert below == set()
