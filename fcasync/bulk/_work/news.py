"""What a webhook event says of an account that a run waits for."""

from collections.abc import Sequence
from typing import Any

from fcasync.models import Account, ThinEvent
from fcasync.models._about import account_named

_ACCOUNT = "v1.financial_connections.account."


def news_in(event: Any, features: Sequence[str]) -> tuple[str, Account | str] | None:
    """Return the tenant of *event* ('' for the key's own), and the account that it is about.

    Args:
        event: A webhook event, or anything else.
        features: What the run refreshes.

    Returns:
        The account as it was then; its id if the event is thin and says that a refresh of one of
        *features* has ended; None for everything else.
    """
    if isinstance(event, ThinEvent):
        return account_named(event) if _ends_refresh(event, features) else None
    account = getattr(getattr(event, "data", None), "object", None)
    if not isinstance(account, Account):
        return None
    return getattr(event, "account", None) or "", account


def _ends_refresh(event: ThinEvent, features: Sequence[str]) -> bool:
    kind = (event.type or "").removeprefix(_ACCOUNT)
    return any(
        kind in (f"refreshed_{name}", f"{name}_refresh_succeeded", f"{name}_refresh_failed")
        for name in features
    )
