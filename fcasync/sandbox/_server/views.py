"""What the page at ``/`` looks at: worlds, requests and events, as JSON."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from fcasync._facts.redact import without_secrets
from fcasync.sandbox._api.error_bodies import no_such
from fcasync.sandbox._api.messages import is_form
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.recent import Exchange, Owner
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.event_bodies import snapshot
from fcasync.sandbox._server.curl import curl

MOST_WORLDS = 200
"""Worlds that are listed at once."""
_EARLIER = "key of an earlier run"


def world_name(owner: Owner) -> str:
    """Return what ``Realm.find`` finds a world by; no key can be read from it."""
    digest, account = owner
    return f"{digest}/{account}" if account else digest


def worlds(realm: Realm, find: str = "") -> dict[str, Any]:
    """Return the worlds, the sandbox's own first and then the most recently used.

    Args:
        realm: All of them.
        find: Only worlds with this text in their shortened key or connected account.
    """
    own = realm.owner(realm.world())
    rows = [_world_row(realm, owner, world) for owner, world in list(realm.worlds.items())]
    found = [row for row in rows if find.lower() in f"{row['key']} {row['account']}".lower()]
    found.sort(key=lambda row: (row["id"] == world_name(own), row["used"] or 0.0), reverse=True)
    return {"data": found[:MOST_WORLDS], "total": len(rows), "found": len(found)}


def _world_row(realm: Realm, owner: Owner, world: World) -> dict[str, Any]:
    digest, account = owner
    last = world.ledger.last_time
    return {
        "id": world_name(owner),
        "key": realm.labels.get(digest, _EARLIER),
        "account": account,
        "requests": world.ledger.requests,
        "used": None if last is None else last - world.offset,
    }


def events(world: World, now: float, skip: int, limit: int) -> dict[str, Any]:
    """Return events of the last 30 days, newest first, without the first *skip*."""
    readable = world.store.log.readable(now)
    chosen = readable[skip : skip + limit]
    data = [snapshot(world.store, event) for event in chosen]
    return {"data": data, "has_more": skip + limit < len(readable), "total": len(readable)}


def position(world: World, account_id: str) -> int:
    """Return how many accounts are newer than this one.

    Raises:
        ApiError: There is no such account.
    """
    index = world.store.index(account_id)
    if index is None:
        raise no_such("account", account_id, "account", status=404)
    return world.store.total - 1 - index


def request(realm: Realm, world: World, number: int) -> dict[str, Any]:
    """Return row *number* of the ledger with what was sent and what came back.

    Only the latest requests are kept whole; of the others it is just the row.

    Raises:
        ApiError: The ledger has no such row.
    """
    rows = world.ledger.since(number - 1, 1)
    if not rows or rows[0]["number"] != number:
        raise no_such("request", str(number), "number", status=404)
    (row,) = rows
    exchange = realm.recent.find(realm.owner(world), number)
    return {"row": row} if exchange is None else {"row": row, **_seen(row, exchange)}


def _seen(row: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    return {
        "params": _params(exchange),
        "headers": {name: without_secrets(value) for name, value in exchange.headers.items()},
        "body": _text(exchange.body),
        "body_size": exchange.body_size,
        "answer_headers": dict(exchange.answer_headers),
        "answer": _text(exchange.answer),
        "answer_size": exchange.answer_size,
        "curl": curl(row, exchange),
    }


def _params(exchange: Exchange) -> list[list[str]]:
    """Return the parameters as they were sent, in order."""
    parts = [exchange.query]
    if is_form(exchange.headers):
        parts.append(exchange.body.decode("utf-8", "replace"))
    text = "&".join(part for part in parts if part)
    pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
    return [[without_secrets(name), without_secrets(value)] for name, value in pairs]


def _text(body: bytes) -> str:
    """Return *body* for people: JSON is laid out, secrets are left out."""
    try:
        text = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter if nested too deeply
        text = body.decode("utf-8", "replace")
    return without_secrets(text)
