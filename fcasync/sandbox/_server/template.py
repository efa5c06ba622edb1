"""Files of the pages for people, and the templates among them."""

from functools import cache
from importlib import resources
from string import Template

import attrs


@attrs.frozen
class File:
    """What is sent for a path."""

    body: bytes
    content_type: str
    status: int = 200


@cache
def files() -> dict[str, bytes]:
    """Return the files of the pages by name."""
    folder = resources.files("fcasync.sandbox") / "_server" / "page"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def fill(name: str, status: int = 200, **parts: str) -> File:
    """Return the template *name* with its ``$placeholders`` filled in.

    Args:
        name: Of a file.
        status: Of the answer.
        **parts: HTML; whoever makes it escapes what is text.
    """
    text = Template(files()[name].decode()).substitute(parts)
    return File(text.encode(), "text/html", status)
