"""Telling a journal from any other file."""

from pathlib import Path
from typing import Final

from fcasync.cli._common import USAGE, Failure

_BEGINNING: Final = b"SQLite format 3\0"
"""The first bytes of a journal (https://www.sqlite.org/fileformat.html, section 1.3)."""


def check_journal(name: str) -> None:
    """Check that the file called *name*, if there is one, may be a journal.

    Opening a journal checks first who may read it, and would suggest to change the rights of any
    other file. It cannot look inside before, as other threads may hold locks on it; the command
    line has no such threads.

    Raises:
        Failure: It is another kind of file.
    """
    path = Path(name)
    try:
        if path.is_symlink() or not path.is_file():
            return
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except (OSError, ValueError):
        return  # whoever opens it as a journal says what is wrong
    if beginning and beginning != _BEGINNING:
        raise Failure(f"{name} is not a journal; name the one of this job, or a new file", USAGE)
