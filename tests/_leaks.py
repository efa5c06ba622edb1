"""Where a secret could leak from an error: everything that a log, a reporter or a queue shows."""

import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import fcasync


def chain(error: BaseException) -> list[BaseException]:
    """Return *error* and everything that it was raised from or during."""
    found: list[BaseException] = []
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link not in found:
            found.append(link)
            links += [link.__cause__, link.__context__]
    return found


def rendered(error: BaseException) -> str:
    """Return every form in which *error* could reach a log, an error reporter or a queue."""
    rich_traceback = pytest.importorskip("rich.traceback", reason="needs rich").Traceback
    trace = rich_traceback.extract(
        type(error), error, error.__traceback__, show_locals=True, locals_max_length=1000
    )
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = [*_page(trace), *with_locals.format(), *traceback.format_exception(error)]
    for link in chain(error):
        notes = getattr(link, "__notes__", [])
        parts += map(repr, (link, str(link), link.args, notes, *_values(vars(link))))
        # Of other libraries' errors nothing else is ours; a JSONDecodeError has its document here.
        parts += [repr(getattr(link, name, None)) for name in ("doc", "object", "headers")]
        if isinstance(link, fcasync.FCError):
            parts.append(repr(pickle.dumps(link)))
    return "\n".join(parts)


def _page(trace: Any) -> Iterator[str]:
    """Return what rich prints of a traceback, without the lines of code, which take it long."""
    for stack in trace.stacks:
        yield stack.exc_value
        yield from getattr(stack, "notes", ())
        for frame in stack.frames:
            yield from (f"{name} = {value}" for name, value in (frame.locals or {}).items())
        for inner in getattr(stack, "exceptions", ()):
            yield from _page(inner)


def _values(state: dict[str, Any]) -> Iterator[object]:
    for name, value in state.items():
        yield name
        yield dict(value) if hasattr(value, "items") else value
        yield vars(value) if hasattr(value, "__dict__") else None
