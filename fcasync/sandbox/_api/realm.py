"""All worlds of one sandbox: who is asking, and therefore which world answers."""

import base64
import binascii
import hashlib
import re
from collections.abc import Container, Mapping

from fcasync._facts.redact import Secret
from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.calls import Reply
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.recent import Owner, Recent
from fcasync.sandbox._api.world import Settings, World

_SECRET = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{1,200}")
_ACCOUNT = re.compile(r"(acct_[A-Za-z0-9]{1,200})(/acct_[A-Za-z0-9]{1,200})*")


def is_test_key(key: str) -> bool:
    """Return whether *key* is a secret or restricted test key."""
    return _SECRET.fullmatch(key) is not None


def masked(key: str) -> str:
    """Return *key* the way Stripe quotes it: kind and last four characters."""
    kind = re.match(r"(sk|rk|pk)_(test|live)_", key)
    return f"{kind[0] if kind else ''}****{key[-4:] if len(key) > 12 else ''}"


def authenticate(headers: Mapping[str, str]) -> str:
    """Return the API key that a request carries.

    Any test key will do, except one with ``_expired`` in it, so that clients can meet a 401.

    Raises:
        ApiError: 401; it carries no key, or one that the sandbox must not accept.
    """
    key = _credential(headers.get("authorization", ""))
    if key is None:
        message = "No API key was sent. Send it in the Authorization header: Bearer sk_test_..."
        raise error_bodies.ApiError(401, message)
    if key.startswith("pk_"):
        message = "This call needs a secret API key, not a publishable one."
        raise error_bodies.ApiError(401, message, code="secret_key_required")
    if key.startswith(("sk_live_", "rk_live_")):
        message = f"Live key refused: {masked(key)}. The sandbox is not Stripe; send a test key."
        raise error_bodies.ApiError(401, message, code="livemode_mismatch")
    if "_expired" in key:
        message = f"Expired API Key provided: {masked(key)}"
        raise error_bodies.ApiError(401, message, code="api_key_expired")
    if not is_test_key(key):
        raise error_bodies.ApiError(401, f"Invalid API Key provided: {masked(key)}")
    return key


def _credential(header: str) -> str | None:
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            return _user(rest.strip())
    return None


def _user(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def is_connected_account(text: str) -> bool:
    """Return whether *text* can be a connected account, or a path of them."""
    return _ACCOUNT.fullmatch(text) is not None


def connected_account(
    headers: Mapping[str, str], key: str, revoked: Container[str] = frozenset()
) -> str:
    """Return the connected account that a request acts for; empty for the key's own.

    Raises:
        ApiError: 403; the account cannot exist, or is one of the *revoked*.
    """
    account = headers.get("stripe-context") or headers.get("stripe-account") or ""
    if account and (account in revoked or not is_connected_account(account)):
        message = (
            f"The provided key '{masked(key)}' does not have access to account "
            f"'{account[:100]}' (or that account does not exist). "
            "Application access may have been revoked."
        )
        raise error_bodies.ApiError(403, message, code="account_invalid")
    return account


class Realm:
    """One world per API key and connected account, each made when it is first asked for."""

    def __init__(self, settings: Settings, api_key: str) -> None:
        self.settings = settings
        self.api_key = api_key
        self.worlds: dict[Owner, World] = {}
        """By a digest of the key (a saved state must not hold keys), and connected account."""
        self.labels: dict[str, str] = {}
        """The keys that were seen, shortened, by their digests."""
        self.recent: Recent = Recent()
        """The latest requests of all worlds."""
        self.revoked: set[str] = set()
        """Connected accounts that have taken their access away."""
        self.world()  # made now: another thread may read it, and must not be the one to make it

    def world(self, api_key: str | None = None, account: str = "") -> World:
        """Return the world of a key; None means the sandbox's own."""
        return self._world(self._owner(api_key or self.api_key, account))

    def _world(self, owner: Owner) -> World:
        if owner not in self.worlds:
            self.worlds[owner] = World(self.settings, owner[1])
        return self.worlds[owner]

    def _owner(self, api_key: str, account: str) -> Owner:
        digest = hashlib.blake2b(api_key.encode(), digest_size=16).hexdigest()
        if digest not in self.labels:
            self.labels[digest] = repr(Secret(api_key))
        return digest, account

    def find(self, name: str) -> World:
        """Return the world of an owner written as one text: ``<digest>/<account>``.

        Raises:
            ApiError: 404; no request has made such a world.
        """
        digest, _, account = name.partition("/")
        world = self.worlds.get((digest, account))
        if world is None:
            raise error_bodies.no_such("world", name, "world", status=404)
        return world

    def owner(self, world: World) -> Owner:
        """Return whose world it is.

        Raises:
            ValueError: It is not one of these any more.
        """
        for owner, held in self.worlds.items():
            if held is world:
                return owner
        raise ValueError("the world was replaced by a reset")

    def reset(self, world: World) -> None:
        """Reset a world to the faults and the time that it started with."""
        world.over = True
        for owner in [owner for owner, held in self.worlds.items() if held is world]:
            self.worlds[owner] = World(self.settings, world.name)
            self.recent.forget(owner)

    def apply(self, request: Request, now: float) -> tuple[World, Reply, tuple[Emit, ...]]:
        """Answer one request; return the world that did, and the events to come."""
        try:
            key = authenticate(request.headers)
            account = connected_account(request.headers, key, self.revoked)
        except error_bodies.ApiError as error:
            # It belongs to no world, but a test wants to see it in a ledger.
            owner = self._owner(self.api_key, "")
            world = self._world(owner)
            reply = world.refuse(request, error, now)
            self.recent.add(owner, world.ledger.requests, request, reply)
            return world, reply, ()
        return self.serve(self._owner(key, account), request, now)

    def serve(
        self, owner: Owner, request: Request, now: float
    ) -> tuple[World, Reply, tuple[Emit, ...]]:
        """Answer a request of which it is known whose world it is about."""
        world = self._world(owner)
        reply, effects = world.apply(request, now)
        self.recent.add(owner, world.ledger.requests, request, reply)
        return world, reply, effects
