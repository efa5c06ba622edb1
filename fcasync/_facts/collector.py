"""Python's garbage collector, paused while a large response is parsed and built.

Each generation that fills up would walk all that was just made, none of which is garbage yet.
"""

import gc
import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def without_collections(build: Callable[[], T]) -> T:
    """Return what *build* returns; the collector rests meanwhile, if it is on.

    That is a matter of a millisecond, and of the process as a whole: another thread that allocates
    at this moment is collected a little later.
    """
    if not gc.isenabled():
        return build()
    _paused.append(None)
    gc.disable()
    try:
        return build()
    finally:
        gc.enable()
        _paused.clear()


_paused: list[None] = []  # not empty while it rests because of us


def _resume() -> None:
    """Turn it on in a forked child whose parent had paused it in another thread."""
    if _paused:
        _paused.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resume)
