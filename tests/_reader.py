"""Follows a Markdown page as a reader would: pastes each block, in order, into a terminal.

Python goes into one interpreter with top-level await, as `python -m asyncio` and notebooks have it;
a block whose first line is a comment with a file's name is written to that file instead. Shell
goes into one directory. Comments before a block say what a reader does besides:

    <!-- not run: why -->                             the block is only read
    <!-- in the background, until :8000 answers -->   it goes into a terminal of its own
    <!-- in the background, until it prints export --> and the line that it prints is pasted
"""

import ast
import asyncio
import inspect
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from tests._paths import ROOT
from tests._ports import free_port

_BLOCK = re.compile(r"(?:<!-- ([^\n]*) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"# ([\w./]+\.(?:py|toml|txt))\n")
_IMPORT = re.compile(r"^\s*(?:import|from) (\w+)", re.MULTILINE)
_INSTALLS = re.compile(r"^(?:pip|python3 -m venv|\. \.venv).*\n?", re.MULTILINE)
_PORT = re.compile(r"\b80\d\d\b")
_ANSWERS = re.compile(r"until :(\d+) answers")


@attrs.frozen
class Block:
    """One fenced block, and what the comment before it says."""

    note: str
    language: str
    code: str

    @property
    def is_run(self) -> bool:
        return not self.note.startswith("not run")


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a page."""
    for note, language, code in _BLOCK.findall(text):
        yield Block(note, language, code)


async def run(code: str, **names: Any) -> dict[str, Any]:
    """Execute *code* here, as a notebook would, top-level await included; return its names."""
    compiled = compile(code, "page.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result
    return names


def unpasteable(text: str) -> list[str]:
    """Return the lines that an interpreter's prompt would not take where they stand.

    It wants an empty line after an indented block, and none inside of it; the formatter insists on
    those before methods, which prompts take from Python 3.13 on.
    """
    found = []
    for block in blocks(text):
        if block.language != "python" or not block.is_run or _FILE.match(block.code):
            continue
        lines = ["", *block.code.splitlines(), ""]
        depth = 0  # of brackets that are open
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
            goes_on = line.startswith(("else", "elif", "except", "finally", "case", ")", "]", "}"))
            is_new = line[:1] not in ("", " ", "#") and not goes_on
            if depth == 0 and is_new and before.startswith(" "):
                found.append(line)
            is_method = after.lstrip().startswith(("@", "def ", "async def "))
            is_inside = line == "" and before.startswith(" ") and after.startswith(" ")
            if depth == 0 and is_inside and not is_method:
                found.append(after)
            depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
    return found


def missing(text: str) -> list[str]:
    """Return what the page needs and is not installed: packages of Python, and curl."""
    own = {Path(name).stem for block in blocks(text) for name in _FILE.findall(block.code)}
    names = {
        name
        for block in blocks(text)
        if block.language == "python" and block.is_run
        for name in _IMPORT.findall(block.code)
    }
    absent = sorted(name for name in names - own if find_spec(name) is None)
    asks = any("curl " in block.code for block in blocks(text) if block.is_run)
    return [*absent, "curl"] if asks and shutil.which("curl") is None else absent


class Reader:
    """Someone who follows a page in *folder*, with the environment variables *env*."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **env, "PATH": path}
        self._running: list[asyncio.subprocess.Process] = []
        self._python: asyncio.subprocess.Process | None = None
        self._ports: dict[str, str] = {}
        self.output = ""
        """Everything that was printed."""

    async def follow(self, text: str) -> None:
        """Paste every block of *text*.

        Raises:
            AssertionError: A block failed; the message has the block and what it printed.
        """
        for block in blocks(_PORT.sub(lambda port: self._free(port[0]), text)):
            if not block.is_run:
                continue
            if named := _FILE.match(block.code):
                (self._folder / named[1]).write_text(block.code)
            elif block.language == "python":
                await self._paste(block.code)
            elif block.language == "sh" and block.note.startswith("in the background"):
                await self._start(block)
            elif block.language == "sh":
                await self._shell(block.code)

    def _free(self, port: str) -> str:
        """Return the free port that stands in for *port* of the page."""
        return self._ports.setdefault(port, str(free_port()))

    async def close(self) -> None:
        """Press Ctrl-C in every terminal, and wait."""
        if self._python is not None and self._python.stdin is not None:
            self._python.stdin.close()
            await asyncio.wait_for(self._python.wait(), 30)
        for process in self._running:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), 30)

    async def _shell(self, code: str) -> None:
        code = _INSTALLS.sub("", code)
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-euc",
            code,
            cwd=self._folder,
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 120)
        self.output += output.decode()
        assert process.returncode == 0, code + output.decode()

    async def _paste(self, code: str) -> None:
        if self._python is None:
            self._python = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "dev", "-W", "error", "-m", "tests._paste"),
                cwd=self._folder,
                env=self._env,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 24,
            )
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        message = json.dumps({"code": code, "env": self._env})
        self._python.stdin.write(message.encode() + b"\n")
        line = await asyncio.wait_for(self._python.stdout.readline(), 120)
        assert line, f"the interpreter ended: {code}"
        answer = json.loads(line)
        self.output += answer["output"]
        assert answer["error"] is None, code + answer["error"]

    async def _start(self, block: Block) -> None:
        # The command takes the place of the shell, so that Ctrl-C reaches it.
        code = re.sub(r"^(?!export )", "exec ", block.code, count=1, flags=re.MULTILINE)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-euc", code),
            cwd=self._folder,
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._running.append(process)
        assert process.stdout is not None
        if "export" in block.note:
            while not (line := (await process.stdout.readline()).decode()).startswith("export "):
                assert line, block.code
                self.output += line
            self._env |= dict(map(_pair, line.split()[1:]))
            return
        waits = _ANSWERS.search(block.note)
        assert waits, block.note
        while not _answers(int(waits[1])):
            assert process.returncode is None, await process.stdout.read()
            await asyncio.sleep(0.05)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
