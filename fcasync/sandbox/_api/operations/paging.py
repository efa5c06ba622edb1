"""What all list operations share: their cursors."""

from collections.abc import Callable
from typing import Any

from fcasync.sandbox._api import error_bodies


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
