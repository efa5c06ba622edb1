"""Ending a job in good order on a signal, and saying which command resumes it."""

import asyncio
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Job(Protocol):
    """A run that can be stopped in good order."""

    def stop(self) -> bool:
        """Stop; return whether it was at work."""


class Stopping:
    """Ends the job on SIGTERM as on Ctrl-C: what is finished is written and printed first."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.was_asked = False
        self.job: Job | None = None  # None until there is one
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in self.SIGNALS:
            self._loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        self.was_asked = True
        # A second Ctrl-C, even after the loop, would tear the orderly end, which is short, apart.
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)
        for number in self.SIGNALS:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)
        if (self.job is None or not self.job.stop()) and self._task is not None:
            self._task.cancel()


def same_command(words: Iterable[str], *, missing: Iterable[str] = ()) -> str:
    """Return ``run (with ...): fcasync ...``: this command, with *words* for its arguments.

    Args:
        words: The arguments; an API key among them is left out, and said to be missing.
        missing: What else the user has to add.
    """
    given = list(words)
    kept = _without_key(given)
    add = [*(["--api-key"] if kept != given else []), *missing]
    said = f" (with {' and '.join(add)})" if add else ""
    return f"run{said}: {shlex.join([*_program(), *kept])}"


def _program() -> list[str]:
    """Return the words that start this command, as the user typed them."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    on_path = shutil.which(script.name)
    return [script.name if on_path and script.samefile(on_path) else str(script)]


def _without_key(arguments: list[str]) -> list[str]:
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--api-key":
            next(words, None)
        elif not word.startswith("--api-key="):
            kept.append(word)
    return kept
