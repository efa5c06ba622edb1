"""Which account an event is about, whichever kind of event it is."""

from fcasync.models.account import Account
from fcasync.models.thin_event import AnyEvent, ThinEvent

ACCOUNT = "financial_connections.account"


def account_named(event: AnyEvent) -> tuple[str, str] | None:
    """Return the tenant ('' for the key's own) and the id of the account that *event* is about.

    Returns:
        None if it is about something else.
    """
    if isinstance(event, ThinEvent):
        related = event.related_object
        if related is None or related.type != ACCOUNT or related.id is None:
            return None
        return event.context or "", related.id
    about = getattr(getattr(event, "data", None), "object", None)
    return (event.account or "", about.id) if isinstance(about, Account) else None
