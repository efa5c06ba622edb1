"""Which files can be a journal: a regular file that only its owner can read."""

import os
import stat
import tempfile
from pathlib import Path

from fcasync.errors import JournalError

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps next to a database."""


def check(path: Path) -> bool:
    """Return whether there is a journal at *path*.

    Raises:
        JournalError: The file cannot be a journal, or must not be used.
    """
    is_there = _check_one(path)
    sides = [side for side in _sides(path) if _check_one(side)]
    if not is_there and sides:
        raise JournalError(
            f"{path} is missing, but {sides[0].name} is there: the journal was moved or deleted "
            "while it was in use; bring it back, or delete the rest to start a new job",
            path=str(path),
        )
    # Not opened to look inside: closing it again would drop the locks that a run in this very
    # process holds on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    if is_there and path.stat().st_size == 0:
        raise JournalError(
            f"{path} is empty; delete it to start a new job, or name another file", path=str(path)
        )
    return is_there


def _sides(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in SIDE_FILES]


def _check_one(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JournalError(f"{path} cannot be used: {error.strerror}", path=str(path)) from error
    if fault := _fault(status):
        raise JournalError(f"{path} {fault}", path=str(path))
    return True


def _fault(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file; a journal is never opened through a link or a pipe"
    if hasattr(os, "geteuid"):
        if status.st_uid != os.geteuid():
            return "belongs to another user"
        if status.st_mode & 0o077:
            return "can be read by other users: run chmod 600 on it"
    return None


def new(path: Path) -> Path:
    """Return an empty private file next to *path*, in which to build a journal."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    except OSError as error:
        raise JournalError(f"cannot write {path}: {error.strerror}", path=str(path)) from error
    os.close(handle)
    return Path(name)


def publish(built: Path, path: Path) -> None:
    """Give *built* its name, unless that is taken, and make sure that it survives a crash.

    Raises:
        JournalError: Another process has created the journal in the meantime.
    """
    try:
        os.link(built, path)
        built.unlink()
    except FileExistsError:
        raise JournalError(f"{path} is in use by another run", path=str(path)) from None
    except OSError:
        _replace(built, path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _replace(built: Path, path: Path) -> None:
    """Do the same on a file system without hard links, such as those of memory cards."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise JournalError(f"{path} is in use by another run", path=str(path)) from None
    built.replace(path)


def reading_mode(path: Path) -> str:
    """Return the SQLite URI parameters that read *path* without changing anything."""
    # Without a log there is nobody at work; an immutable file gets no files beside it.
    return "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"


def tidy(path: Path) -> None:
    """Remove what readers left beside a closed journal."""
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
