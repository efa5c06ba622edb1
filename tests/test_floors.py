"""The architecture, held by a walk over the imports: a module imports its own floor or below."""

import ast
from pathlib import Path

import pytest

from tests._paths import ROOT

PACKAGE = ROOT / "fcasync"

# The longest matching prefix names a module's floor, as fcasync/__init__.py draws them.
FLOORS = {
    "fcasync._version": 0,
    "fcasync._facts": 0,
    "fcasync.errors": 0,
    "fcasync.hooks": 0,
    "fcasync.models": 1,
    "fcasync._rules": 2,
    "fcasync.webhooks": 4,
    "fcasync.webhooks._verify": 2,
    "fcasync.webhooks._read": 2,
    "fcasync._wire": 3,
    "fcasync.resources": 4,
    "fcasync.bulk": 4,
    "fcasync.client": 5,
    "fcasync": 7,  # the entrance, which names everything for type checkers
    "fcasync._exports": 6,
    "fcasync.cluster": 6,
    "fcasync.mirror": 6,
    "fcasync.otel": 6,
    "fcasync.testing": 6,
    "fcasync.blocking": 7,
    "fcasync.cli": 7,
    "fcasync.pytest_plugin": 7,
    "fcasync.__main__": 7,
}
# Inside bulk and the sandbox the wings are ordered in the same way; the files beside them, what
# users hold, come last. The outcome and the report are data that every wing may fill.
WINGS = {
    "fcasync.bulk._outcome": 0,
    "fcasync.bulk._report": 0,
    "fcasync.bulk._plan": 1,
    "fcasync.bulk._journal": 2,
    "fcasync.bulk._work": 3,
    "fcasync.bulk": 4,
    "fcasync.sandbox._bank": 1,
    "fcasync.sandbox._api": 2,
    "fcasync.sandbox._server": 3,
    "fcasync.sandbox": 4,
}
TOWERS = ("fcasync.bulk", "fcasync.sandbox")
SANDBOX = "fcasync.sandbox"
SANDBOX_MAY_IMPORT = {
    "fcasync._facts",
    "fcasync._facts.clock",
    "fcasync._facts.guide",
    "fcasync._facts.public",
    "fcasync._facts.redact",
    "fcasync._facts.signature",
    "fcasync._rules.form",
}
IMPURE = {"time", "random", "secrets", "asyncio", "aiohttp", "socket"}
THE_CLOCK = "fcasync._facts.clock"
ADAPTERS = {
    "aiohttp": {
        f"fcasync._wire.{name}"
        for name in ("transport", "sessions", "exchange", "documented", "failures")
    }
    | {"fcasync.webhooks._aiohttp"},
    "tenacity": {"fcasync._wire.retries"},
    "cattrs": {"fcasync.models._convert"},
    "distributed": {"fcasync.cluster._dask"},
    "pyarrow": {"fcasync.models._arrow"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_in(module: str, folder: str) -> bool:
    return module == folder or module.startswith(folder + ".")


def level(module: str, levels: dict[str, int]) -> int:
    """Return the level of the longest prefix of *module* that is in *levels*."""
    return levels[max((name for name in levels if is_in(module, name)), key=len)]


def imports(path: Path) -> set[str]:
    """Return all modules that *path* imports, anywhere in the file."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                modules.add(inside if inside in MODULES else node.module)
    return modules


def targets(module: str) -> set[str]:
    """Return the modules of this package that *module* imports."""
    return {name for name in imports(MODULES[module]) - {module} if is_in(name, "fcasync")}


def libraries(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(MODULES[module])}


CLIENT = [module for module in MODULES if not is_in(module, SANDBOX)]


@pytest.mark.parametrize("module", CLIENT)
def test_a_module_imports_only_its_own_floor_or_below(module: str) -> None:
    """Dependencies point downwards, so that each floor can be read and tested without the next."""
    here = level(module, FLOORS)
    client = {name for name in targets(module) if not is_in(name, SANDBOX)}
    assert {name for name in client if level(name, FLOORS) > here} == set()


@pytest.mark.parametrize("tower", TOWERS)
def test_wings_are_one_directional(tower: str) -> None:
    """Decisions do not depend on storage, and neither depends on the code that runs them."""
    for module in (name for name in MODULES if is_in(name, tower)):
        here = level(module, WINGS)
        inside = {name for name in targets(module) if is_in(name, tower)}
        assert {name for name in inside if level(name, WINGS) > here} == set(), module


def test_the_sandbox_is_a_second_witness() -> None:
    """It shares the form encoding with the client, but no model that both could misread."""
    for module in (name for name in MODULES if is_in(name, SANDBOX)):
        outside = {name for name in targets(module) if not is_in(name, SANDBOX)}
        assert outside <= SANDBOX_MAY_IMPORT, module


def is_pure(module: str) -> bool:
    if is_in(module, SANDBOX):
        return level(module, WINGS) < WINGS["fcasync.sandbox._server"]
    return is_in(module, "fcasync.bulk._plan") or level(module, FLOORS) <= 2


@pytest.mark.parametrize("module", [m for m in MODULES if is_pure(m) and m != THE_CLOCK])
def test_rules_are_pure(module: str) -> None:
    """Rules, models, plans and worlds import no clock, no random source, no loop and no socket."""
    assert libraries(module).isdisjoint(IMPURE)


@pytest.mark.parametrize("module", CLIENT)
def test_a_library_has_one_adapter(module: str) -> None:
    """Aiohttp stays on the wire and in the handler for its server, others in one file each."""
    for library, adapters in ADAPTERS.items():
        assert library not in libraries(module) or module in adapters


def test_only_tools_use_the_sandbox() -> None:
    """The client never depends on the server with which it is tested."""
    users = {m for m in CLIENT if any(is_in(name, SANDBOX) for name in targets(m))}
    assert {module for module in users if level(module, FLOORS) < 6} == set()


def test_nothing_is_a_pickle() -> None:
    """No module can execute a file that an attacker has written."""
    for module in MODULES:
        assert libraries(module).isdisjoint({"pickle", "shelve", "marshal"}), module


def test_the_entrance_shows_the_floors() -> None:
    """At most ten entries at the top are not public names, and the drawing names every folder."""
    top = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    private = [path.name for path in top if path.name.startswith("_") or path.suffix != ".py"]
    packages = [path.name for path in top if path.is_dir()]
    assert len([name for name in private if name not in packages or name[0] == "_"]) <= 10
    drawing = (PACKAGE / "__init__.py").read_text()
    assert [name for name in packages if f"{name}/" not in drawing] == []
