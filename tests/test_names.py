"""Tasks and threads have names, which say what they are for and nothing of what they work on."""

import ast
import asyncio
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import fcasync
from fcasync.bulk._work.crew import Crew, name_of
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock
from tests._paths import ROOT

PACKAGE = ROOT / "fcasync"
FORBIDDEN = {"ensure_future"}
"""They make tasks, and take no name."""
NAMERS: dict[str, str | int | None] = {
    "create_task": "name",
    "named_task": 1,
    "Thread": "name",
    "ThreadPoolExecutor": "thread_name_prefix",
    "Timer": None,
}
"""What makes a task or a thread, and where its name is: a keyword, or a position."""
HELPERS = {
    ("_wire/uninterrupted.py", "named_task"),
    ("_wire/announcing.py", "named_task"),
    ("bulk/_work/crew.py", "run"),
    ("bulk/_work/crew.py", "task"),
}
"""Functions that hand on the name that they get, or make it up by name_of()."""
PATTERN = re.compile(r"fcasync(\.[a-z_0-9]+)+")


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in a file, with the name of the innermost function around it."""

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.Call):
            yield function, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)

    yield from walk(ast.parse(path.read_text()), "")


def argument(call: ast.Call, where: str | int | None) -> Any:
    if isinstance(where, int):
        node = call.args[where] if len(call.args) > where else None
    else:
        node = next((each.value for each in call.keywords if each.arg == where), None)
    return node.value if isinstance(node, ast.Constant) else node


def nameless(path: Path) -> list[str]:
    """Return the lines of *path* that make a task or a thread without a fixed name."""
    faults = []
    where = path.relative_to(PACKAGE).as_posix()
    for function, call in calls(path):
        what = called(call)
        if what in FORBIDDEN:
            faults.append(f"{where}:{call.lineno}: {what} takes no name")
        if what == "gather" and not all(isinstance(each, ast.Starred) for each in call.args):
            faults.append(f"{where}:{call.lineno}: gather makes tasks; name them first")
        if what == "gather" and any(
            isinstance(each, ast.Starred) and not isinstance(each.value, ast.Name)
            for each in call.args
        ):
            faults.append(f"{where}:{call.lineno}: gather makes tasks; name them first")
        if what in NAMERS and (where, function) not in HELPERS:
            name = argument(call, NAMERS[what])
            if not isinstance(name, str) or not PATTERN.fullmatch(name):
                faults.append(f"{where}:{call.lineno}: {what} without a name like fcasync.x")
    return faults


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_every_task_and_thread_has_a_fixed_name(path: Path) -> None:
    """A name is a literal below ``fcasync``: no id and no key can be part of it."""
    assert nameless(path) == []


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.create_task(work())",
        "group.create_task(work(), name=account_id)",
        "asyncio.create_task(work(), name='Task of fca_1')",
        "asyncio.create_task(work(), name=f'fcasync.{account_id}')",
        "asyncio.ensure_future(work())",
        "await asyncio.gather(work(), *tasks)",
        "await asyncio.gather(*map(work, ids))",
        "threading.Thread(target=work)",
        "ThreadPoolExecutor(1)",
        "named_task(work())",
    ],
)
def test_a_nameless_one_is_found(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search finds each way to make one."""
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(f"async def main():\n    {line}\n")
    assert len(nameless(path)) == 1


async def _work() -> None:
    """Do nothing."""


def test_a_task_of_a_crew_is_named_after_its_function() -> None:
    """By package, class and function, whatever its arguments."""

    async def ask(account_id: str) -> None: ...

    _work.__module__ = ask.__module__ = "fcasync.bulk._work.somewhere"
    assert name_of(_work) == "fcasync.bulk.work"
    assert name_of(partial(partial(ask, "fca_1"))) == (
        "fcasync.bulk.test_a_task_of_a_crew_is_named_after_its_function.ask"
    )
    assert name_of(Crew().run) == "fcasync.bulk.crew.run"


async def test_what_runs_is_named() -> None:
    """In a walk, a bulk job and a sandbox with webhooks, no task has asyncio's own name."""
    before = asyncio.all_tasks()
    names: set[str] = set()
    threads: set[str] = set()
    ids: set[str] = set()

    def note(_: object) -> None:
        names.update(task.get_name() for task in asyncio.all_tasks() - before)
        threads.update(thread.name for thread in threading.enumerate())

    async with (
        Sandbox(300, webhook_url="http://127.0.0.1:9/", settle_seconds=1.0) as sandbox,
        fcasync.Client(
            sandbox.api_key, base_url=sandbox.url, clock=FakeClock(), hooks=[note]
        ) as client,
    ):
        async for account in client.accounts.list():
            ids.add(account.id)
            note(account)
        async with client.bulk.refresh(sorted(ids)[:50], features=["balance"]) as run:
            async for outcome in run:
                note(outcome)
    ours = {name for name in names if name.startswith("fcasync.")}
    assert {
        "fcasync.prefetch",
        "fcasync.bulk.run",
        "fcasync.bulk.dispatcher.run",
        "fcasync.bulk.dispatcher.serve",
    } <= ours
    assert all(PATTERN.fullmatch(name) for name in ours)
    # aiohttp's server has a task for each connection, and names none.
    assert [name for name in names - ours if not name.startswith("Task-")] == []
    assert not any(word in name for word in (*ids, sandbox.api_key) for name in names | threads)
