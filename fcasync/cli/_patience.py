"""Says on stderr that a command is waiting for a server, so that silence is not mistaken."""

from typing import Final

import click

from fcasync.hooks import HookEvent, RetryScheduled

_LONG: Final = 1.0
"""Seconds of a wait that a person notices."""


class Patience:
    """A hook that reports each retry of a call, and nothing of a call that goes well."""

    def __call__(self, event: HookEvent, /) -> None:
        """Report a retry."""
        if isinstance(event, RetryScheduled):
            wait = f" in {event.wait:.0f} s" if event.wait >= _LONG else ""
            click.echo(f"fcasync: {_what(event.error)}; retrying{wait} ...", err=True)


def _what(error: BaseException) -> str:
    status = getattr(error, "status", None)
    return f"the server answered {status}" if status else str(error)
