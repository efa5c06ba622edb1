"""A request of the ledger as a command line that sends it again."""

import re
from shlex import quote
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import unquote_plus

from fcasync._facts.redact import without_secrets
from fcasync.sandbox._api.messages import is_form
from fcasync.sandbox._api.recent import Exchange

_HEADERS = {
    "stripe-version": "Stripe-Version",
    "stripe-account": "Stripe-Account",
    "stripe-context": "Stripe-Context",
}
_READABLE = "[]:/,@.-_~"
"""What needs no escape in a form, so that it stays readable."""


def curl(row: dict[str, Any], exchange: Exchange) -> str | None:
    """Return the command, or None for a body that a command line cannot have.

    The key and the address come from the environment, so that the command can be shown to anybody:
    ``STRIPE_API_KEY`` and ``STRIPE_API_BASE``, as ``fcasync sandbox`` prints them.

    Args:
        row: Of the ledger.
        exchange: What was sent.
    """
    method, path = row["method"], without_secrets(row["path"])
    query = _pairs(exchange.query)
    if exchange.body and (not is_form(exchange.headers) or exchange.body_size > len(exchange.body)):
        return None
    body = _pairs(exchange.body.decode("utf-8", "replace"))
    if query and (method != "GET" or body):
        path = f"{path}?{'&'.join(query)}"
    elif query:
        body = query
    words = ["curl", *_flags(method, path, exchange.body, query)]
    words.append(f'"$STRIPE_API_BASE"{quote(path)}')
    lines = ['-u "$STRIPE_API_KEY:"']
    lines += [f"-H {quote(header)}" for header in _headers(row, exchange)]
    lines += [f"-d {quote(pair)}" for pair in body]
    return " \\\n  ".join([" ".join(words), *lines])


def _flags(method: str, path: str, body: bytes, query: list[str]) -> list[str]:
    flags = []
    if method == "GET" and not body:
        flags += ["-G"] if query else []
    elif method != "POST" or not body:  # -d alone means POST
        flags += ["-X", quote(method)]
    if re.search(r"[\[\]{}]", path):
        flags.append("--globoff")
    return [*flags, "--path-as-is"] if "/." in path else flags


def _headers(row: dict[str, Any], exchange: Exchange) -> list[str]:
    shown = [
        f"{title}: {exchange.headers[name]}"
        for name, title in _HEADERS.items()
        if name in exchange.headers
    ]
    key = row["idempotency_key"]
    return shown if key is None else [*shown, f"Idempotency-Key: {key}"]


def _pairs(text: str) -> list[str]:
    """Return the parameters of a form, each encoded so that it survives a shell and a form."""
    return [without_secrets(_encoded(pair)) for pair in text.split("&") if pair]


def _encoded(pair: str) -> str:
    return "=".join(percent(unquote_plus(part), _READABLE) for part in pair.split("=", 1))
