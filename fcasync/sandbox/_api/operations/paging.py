"""What list operations share: their cursors, and ranges of time."""

import operator
from collections.abc import Callable
from typing import Any

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.params import Check, Either, Integer, Object, Timestamp

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
INSTANTS: Check = Either(Object({name: Integer() for name in _COMPARE}), Integer())
"""A parameter that is a second, or a range of them."""
TIMESTAMPS: Check = Object({name: Timestamp() for name in _COMPARE})
"""The same in the v2 API, which has only the range."""


def within(at: float, wanted: Any) -> bool:
    """Return whether instant *at* is in the checked value of such a parameter; None has all."""
    if wanted is None or isinstance(wanted, int):
        return wanted is None or at == wanted
    return all(_COMPARE[name](at, bound) for name, bound in wanted.items())


def cursors(
    params: dict[str, Any], locate: Callable[[str], int | None], what: str = "account"
) -> tuple[int | None, int | None]:
    """Return the positions of ``starting_after`` and ``ending_before``, None where not sent.

    Args:
        params: The checked parameters of a list operation.
        locate: Returns the position of the item with this id, or None for an unknown id.
        what: The kind of item, for the error.

    Raises:
        ApiError: Both were sent, or one is not the id of an item.
    """
    if "starting_after" in params and "ending_before" in params:
        message = "Only one of starting_after and ending_before can be sent."
        raise error_bodies.invalid(message, "ending_before")
    positions: dict[str, int | None] = {"starting_after": None, "ending_before": None}
    for name in positions.keys() & params.keys():
        positions[name] = locate(params[name])
        if positions[name] is None:
            raise error_bodies.no_such(what, params[name], name)
    return positions["starting_after"], positions["ending_before"]
