"""Making the file of a SQLite database that others on the machine shall not read."""

import os
from pathlib import Path

from fcasync._facts.locks import SHARED


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is one.

    A file that is there is not opened: closing it would end all locks that this process has on it,
    those of SQLite in other threads too
    (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).

    Raises:
        OSError: It cannot be made.
    """
    with SHARED:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
