"""An interpreter with top-level await that takes blocks from stdin, one JSON object per line."""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


async def _main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    sys.path.insert(0, str(Path.cwd()))
    names: dict[str, Any] = {"__name__": "__main__"}
    while line := await lines.readline():
        message = json.loads(line)
        os.environ.update(message["env"])
        printed, error = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            try:
                await _run(message["code"], names)
            except Exception:
                error = traceback.format_exc()
        answer = {"output": printed.getvalue(), "error": error}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def _run(code: str, names: dict[str, Any]) -> None:
    tree = ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        # As a notebook, which shows the value of the last line.
        show = ast.parse("__shown = None").body[0]
        assert isinstance(show, ast.Assign)
        show.value = last.value
        tree.body[-1] = ast.copy_location(show, last)
        ast.fix_missing_locations(tree)
    compiled = compile(tree, "page.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result
    shown = names.pop("__shown", None)
    if shown is not None:
        repr(shown)
        getattr(shown, "_repr_html_", str)()


if __name__ == "__main__":
    asyncio.run(_main())
