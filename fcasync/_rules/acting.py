"""Hooks that may act: which those are, and the headers that they may add."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from inspect import iscoroutinefunction
from typing import Any, Final

from fcasync._facts.redact import Hidden
from fcasync._rules import checks
from fcasync.errors import InvalidArgumentError, describe

METHODS: Final = ("__call__", "before_attempt", "run_started", "run_finished")
"""What a hook may have."""

_OWN: Final = checks.OWN_HEADERS | {"accept", "user-agent"}
"""Headers that no hook may set; for the last two, ``extra_headers`` is the place."""


def checked_hooks(values: object) -> tuple[Callable[..., None], ...]:
    """Return *values* as a tuple; they must be functions, or objects that can be called.

    Raises:
        InvalidArgumentError: One cannot be called, or is asynchronous: nobody would await it.
    """
    if not (isinstance(values, Iterable) and all(map(callable, given := tuple(values)))):
        raise InvalidArgumentError(
            "hooks must be a list of things that can be called with an event, "
            f"not {describe(values)}"
        )
    for hook in given:
        if any(map(iscoroutinefunction, (hook, *methods(hook).values()))):
            raise InvalidArgumentError(
                f"hooks must be synchronous, and a method of {type(hook).__name__} is async; "
                "let it start a task instead"
            )
    return given


def methods(hook: object) -> dict[str, Any]:
    """Return those methods of *hook* that are called, by name."""
    found = {name: getattr(hook, name, None) for name in METHODS}
    return {name: method for name, method in found.items() if callable(method)}


class AddedHeaders(MutableMapping[str, str]):
    """Headers that hooks add to one request, each checked when it is set."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self._values = {} if values is None else values
        """Hidden values by the spelling ``Like-This`` of their names."""

    def __setitem__(self, name: str, value: str) -> None:
        """Add a header.

        Raises:
            InvalidArgumentError: It is fcasync's own, or not legal. The value is never echoed.
        """
        spelt = checks.header_name(name, "a hook's header", _OWN)
        self._values[spelt] = Hidden(checks.header_value(value, f"a hook's header {spelt}"))

    def __getitem__(self, name: str) -> str:
        return self._values[name.title()]

    def __delitem__(self, name: str) -> None:
        del self._values[name.title()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<AddedHeaders {', '.join(self._values) or 'none'}>"

    def copy(self) -> "AddedHeaders":
        """Return a copy."""
        return AddedHeaders(dict(self._values))
