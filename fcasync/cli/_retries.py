"""Reports on stderr that a command waits for a server, which its silence does not show."""

import time
from collections.abc import Callable
from typing import Final

import click

from fcasync.hooks import HookEvent, RetryScheduled

_LONG: Final = 1.0
"""Seconds of a wait that a person notices."""
_AT_FIRST: Final = 5
"""Retries that are reported one by one; of a job's many, a few are enough."""
_EVERY: Final = 5.0
"""Seconds between reports after that."""


class RetryNotices:
    """A hook that reports the retries of calls, and nothing of a call that goes well."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._reported = 0
        self._left_out = 0  # since the last report
        self._last = 0.0

    def __call__(self, event: HookEvent, /) -> None:
        """Report a retry."""
        # A 429 is not a failure: the call waits for its turn.
        if not isinstance(event, RetryScheduled) or getattr(event.error, "status", 0) == 429:
            return
        if self._reported >= _AT_FIRST and self._now() - self._last < _EVERY:
            self._left_out += 1
            return
        wait = f" in {event.wait:.0f} s" if event.wait >= _LONG else ""
        more = f" (and {self._left_out} more)" if self._left_out else ""
        click.echo(f"fcasync: {_what(event.error)}; retrying{wait} ...{more}", err=True)
        self._reported, self._left_out, self._last = self._reported + 1, 0, self._now()


def _what(error: BaseException) -> str:
    status = getattr(error, "status", None)
    return f"the server answered {status}" if status else str(error)
