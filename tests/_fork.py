"""A forked child that says whether something holds there."""

import os
import signal
import traceback
from collections.abc import Callable

PATIENCE = 20
"""Seconds after which the kernel ends a child that hangs."""


def status_of_child(holds: Callable[[], object]) -> int:
    """Return how a child ended that ran *holds*: 0 if it was true, 1 if not or if it raised.

    One that hangs is ended by SIGALRM; its status is -14.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            status = 0 if holds() else 1
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
