"""The pages of the guide, which are shipped with the package as Markdown."""

from importlib.resources import files
from typing import Final

_FOLDER: Final = files("fcasync") / "guide"


def topics() -> dict[str, str]:
    """Return the title of each page by its topic, in alphabetical order."""
    names = sorted(entry.name for entry in _FOLDER.iterdir() if entry.name.endswith(".md"))
    return {name.removesuffix(".md"): _title(name) for name in names}


def page(topic: str) -> str:
    """Return the Markdown of a page.

    Raises:
        KeyError: There is no such topic.
    """
    if topic not in topics():
        raise KeyError(topic)
    return (_FOLDER / f"{topic}.md").read_text("utf-8")


def overview() -> str:
    """Return ``llms.txt``: what fcasync is, and a line about each page, for language models."""
    return (_FOLDER / "llms.txt").read_text("utf-8")


def _title(name: str) -> str:
    first, _, _ = (_FOLDER / name).read_text("utf-8").partition("\n")
    return first.removeprefix("# ")
