"""The pytest plugin, run by pytest runs of its own."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest

from tests._paths import ROOT

pytest_plugins = ["pytester"]


ASYNC_TESTS = """
import pytest

{mark}
@pytest.mark.fc_sandbox(accounts=2, faults=[{{"kind": "status", "status": 503, "times": 1}}])
async def test_marked(fc_client, fc_sandbox):
    page = await fc_client.accounts.list()
    assert len(page.data) == 2
    assert [row["status"] for row in fc_sandbox.ledger] == [503, 200]

{mark}
async def test_alone(fc_client, fc_sandbox, fc_clock):
    first = fc_clock.time()
    account = (await fc_client.accounts.list(limit=1)).data[0]
    seen = await fc_client.accounts.refresh_and_wait(account, features=["balance"])
    assert seen.balance_refresh.status == "succeeded"
    assert fc_clock.time() > first
    assert fc_sandbox.executions("refresh") == {{account.id: 1}}

{mark}
async def test_apart(fc_client, fc_sandbox):
    assert fc_sandbox.executions("refresh") == {{}}
    assert len((await fc_client.accounts.list(limit=100)).data) == 25
"""

OTHER_TESTS = """
import asyncio
import time

import fcasync
import pytest

def test_sync(fc_sandbox, fc_client):
    page = asyncio.run(page_of(fc_client))
    assert len(page.data) == 25

async def page_of(client):
    return await client.accounts.list(limit=100)

def test_the_clock_is_that_of_both(fc_sandbox, fc_clock):
    assert abs(fc_clock.time() - time.time()) < 60
    before = fc_sandbox.now
    fc_clock.advance(3600.0)
    assert fc_sandbox.now == before + 3600.0

@pytest.mark.asyncio(loop_scope="module")
async def test_on_a_loop_that_lives_on(fc_client):
    await fc_client.accounts.list()

@pytest.mark.asyncio(loop_scope="module")
async def test_on_the_same_loop(fc_client):
    await fc_client.accounts.list()
"""

UNUSED = """
import sys

def test_nothing_was_imported():
    heavy = {"aiohttp", "attrs", "cattrs", "orjson", "tenacity", "yarl"}
    own = {name for name in sys.modules if name.partition(".")[0] == "fcasync"}
    assert heavy.isdisjoint(sys.modules)
    assert own == {"fcasync", "fcasync._version", "fcasync.pytest_plugin"}
"""


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Let pytest runs elsewhere find this package, and load no other plugins."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(tests)
    strict = ["-p", "fcasync.pytest_plugin", "--strict-markers", "-W", "error"]
    return pytester.runpytest_subprocess(*strict, *arguments)


def asyncio_plugin(mode: str) -> list[str]:
    return [
        *("-p", "pytest_asyncio.plugin", "-o", f"asyncio_mode={mode}"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    ]


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixtures_serve_async_tests(pytester: pytest.Pytester, mode: str) -> None:
    """They work in both modes of pytest-asyncio, leave nothing open, and are new in each test."""
    mark = "" if mode == "auto" else "@pytest.mark.asyncio"
    result = run(pytester, ASYNC_TESTS.format(mark=mark), *asyncio_plugin(mode))
    result.assert_outcomes(passed=3)


def test_the_fixtures_serve_other_tests(pytester: pytest.Pytester) -> None:
    """Tests without a loop, and tests that share one, may use them too."""
    run(pytester, OTHER_TESTS, *asyncio_plugin("strict")).assert_outcomes(passed=4)


def test_unused_fixtures_cost_nothing(pytester: pytest.Pytester) -> None:
    """A run that uses none of them imports only two small modules."""
    run(pytester, UNUSED).assert_outcomes(passed=1)


def test_importing_the_plugin_imports_no_library() -> None:
    """Only pytest and the standard library are loaded."""
    code = (
        "import sys, pytest; before = set(sys.modules); import fcasync.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "['fcasync', 'fcasync._version', 'fcasync.pytest_plugin']"


def test_the_fixtures_are_listed(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` describes them."""
    listed = run(pytester, "", "--fixtures").stdout
    for fixture in ("fc_clock", "fc_sandbox", "fc_client"):
        listed.fnmatch_lines([f"{fixture} *", "    ?*"])


def test_pytest_finds_the_plugin() -> None:
    """The registered entry point is this module."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["pytest11"].items()
    module = EntryPoint(name, value, "pytest11").load()
    assert (name, module.__name__) == ("fcasync", "fcasync.pytest_plugin")
