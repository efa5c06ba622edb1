"""Webhooks: verify that Stripe sent them, parse them, and pass them to the right function.

::

    events = EventRouter()

    @events.on("financial_connections.account.refreshed_balance")
    async def balance(event: Event[Account]) -> None:
        print(event.data.object.balance)

    app.add_route("/webhooks", events.asgi(secret), ["POST"])  # FastAPI, Starlette

For other frameworks there are `construct_event` and ``events.dispatch``.

Stripe may deliver an event more than once, so handlers must tolerate repeats; an `EventRouter` with
a `SeenStore` drops events that it has already handled: `SeenEvents` remembers them in memory,
`SqliteSeenEvents` in a file. A repeat of an event that is still being handled raises
`EventInProgress`.
"""

from fcasync._facts.public import show_as
from fcasync.errors import EventInProgress
from fcasync.webhooks._asgi import WebhookApp
from fcasync.webhooks._catch_up import CatchUp
from fcasync.webhooks._read import parse_event
from fcasync.webhooks._router import EventRouter
from fcasync.webhooks._seen import SeenEvents, SeenStore
from fcasync.webhooks._sqlite import SqliteSeenEvents
from fcasync.webhooks._verify import construct_event, sign

__all__ = [
    "CatchUp",
    "EventInProgress",
    "EventRouter",
    "SeenEvents",
    "SeenStore",
    "SqliteSeenEvents",
    "WebhookApp",
    "construct_event",
    "parse_event",
    "sign",
]

show_as(__name__, __all__, globals())
