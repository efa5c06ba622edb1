"""The lock around what threads share: a child that is forked meanwhile does not inherit it locked.

A fork copies one thread. A lock that another one held just then would stay locked for ever, so the
fork itself waits for this one. It is held for microseconds, and by one thread again if a signal
handler comes in between.
"""

import os
from threading import RLock

SHARED = RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=SHARED.acquire, after_in_parent=SHARED.release, after_in_child=SHARED.release
    )
