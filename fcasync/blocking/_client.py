"""What a blocking client is besides its resources: how it begins and ends."""

from collections.abc import Iterable
from functools import cached_property
from types import TracebackType
from typing import Any, NoReturn, Self

import fcasync
from fcasync._rules.acting import checked_hooks
from fcasync.blocking._facade import Facade
from fcasync.blocking._job import note_key
from fcasync.blocking._loops import Loops
from fcasync.hooks import Hook


class Closing(Facade[fcasync.Client]):
    """A client that owns a loop."""

    def _open(self, wrapped: fcasync.Client) -> None:
        super().__init__(Loops(wrapped.aclose, _name(wrapped)), wrapped)

    def _view(self, wrapped: fcasync.Client) -> Self:
        """Return the same client with other options, on the same loop."""
        view = type(self).__new__(type(self))
        vars(view).update(vars(self), _async=wrapped)
        for name in vars(self):
            if isinstance(getattr(type(self), name, None), cached_property):
                del vars(view)[name]  # it is bound to the options with which it was made
        return view

    def close(self) -> None:
        """Close the connections and end the thread; a later call starts anew.

        Calls that are in flight in other threads end with an APIConnectionError, and so does the
        next step of a walk or a run that has begun.
        """
        self._loops.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if "_async" not in vars(self):
            return "<blocking Client without valid arguments>"  # in its constructor's traceback
        return _name(self._async)

    def __reduce__(self) -> NoReturn:
        self._loops.__reduce__()


def _name(wrapped: fcasync.Client) -> str:
    return f"<blocking {repr(wrapped)[1:]}"


def noted(hooks: Iterable[Hook]) -> tuple[Any, ...]:
    """Return *hooks* and one of our own, for the keys of calls that end with the client."""
    return (*checked_hooks(hooks), note_key)
