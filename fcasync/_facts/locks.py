"""Locks around what threads share: a child that is forked meanwhile does not inherit them locked.

A fork copies one thread. A lock that another one held just then would stay locked for ever, so the
fork itself waits for these. They are held for microseconds, and by one thread again if a signal
handler comes in between.
"""

import os
from threading import RLock


def lock_across_forks() -> RLock:
    """Return a new lock for a module to keep for ever."""
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock


SHARED = lock_across_forks()
"""The one around all counters, rates and files."""
