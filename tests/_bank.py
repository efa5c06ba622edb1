"""A small Stripe whose every refresh is decided by the test: what it brings, and when it settles.

It is a second witness beside the sandbox, whose histories follow from a seed.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import fcasync
from fcasync._rules.request import Answer, Request
from fcasync.testing import InstantTransport, answer
from fcasync.testing import _samples as samples

Json = dict[str, Any]
START = 1_760_000_000
_HEADERS = {
    "Content-Type": "application/json",
    "Date": formatdate(START, usegmt=True),
    "Request-Id": "req_bank",
}


class BankAccount:
    """One account: its refreshes, and its transactions as the latest success left them."""

    def __init__(self, id: str, clock: "itertools.count[int]") -> None:
        self.id = id
        self.status = "active"
        self.refreshes: list[Json] = []
        self.transactions: dict[str, Json] = {}
        self.balance = 10_000
        self.owners: list[Json] = []
        self.permissions = ["balances", "ownership", "transactions"]
        self.extra: Json = {}
        self._changed: dict[str, int] = {}  # the number of the refresh that last changed each
        self._clock = clock
        self._planned: list[Json] = []  # what the pending refresh brings if it succeeds

    def begin(self, changes: Iterable[Json] = ()) -> None:
        """Start a refresh that brings *changes*, by id, if it succeeds."""
        number = len(self.refreshes) + 1
        at = START + next(self._clock)
        refresh = {"id": f"fctxnref_{self.id[4:]}_{number}", "status": "pending"}
        self.refreshes.append({**refresh, "last_attempted_at": at})
        self._planned = [dict(change) for change in changes]

    def settle(self, status: str = "succeeded") -> None:
        """End the pending refresh."""
        refresh = self.refreshes[-1]
        refresh["status"] = status
        for change in self._planned if status == "succeeded" else ():
            self._apply(change, refresh)
        self._planned = []

    def refresh(self, changes: Iterable[Json] = ()) -> None:
        """Bring *changes* at once."""
        self.begin(changes)
        self.settle()

    def _apply(self, change: Json, refresh: Json) -> None:
        at = refresh["last_attempted_at"]
        new = {**samples.transaction(), "account": self.id, "transacted_at": at}
        row = {**self.transactions.get(change["id"], new), **change}
        row |= {"transaction_refresh": refresh["id"], "updated": at}
        row["status_transitions"] = {
            "posted_at": at if row["status"] == "posted" else None,
            "void_at": at if row["status"] == "void" else None,
        }
        self.transactions[row["id"]] = row
        self._changed[row["id"]] = len(self.refreshes)

    def changes(self, draw: random.Random) -> list[Json]:
        """Return random changes: new, late, posted with another amount, void."""
        made = []
        for row in self.transactions.values():
            if row["status"] == "pending" and draw.random() < 0.6:
                tip = draw.choice([0, -200])
                turn = {"status": "void"} if draw.random() < 0.3 else {"status": "posted"}
                made.append({"id": row["id"], "amount": row["amount"] + tip, **turn})
        for number in range(draw.randrange(4)):
            name = f"fctxn_{self.id[4:]}_{len(self.transactions) + number}"
            change = {"id": name, "amount": -draw.randrange(1, 9_999)}
            change["status"] = draw.choice(["pending", "posted"])
            if draw.random() < 0.3:
                change["transacted_at"] = START - draw.randrange(1, 9_999)
            made.append(change)
        return made

    def listed(self, after: str | None = None) -> list[Json]:
        """Return the transactions that Stripe would list, newest first."""
        ids = [refresh["id"] for refresh in self.refreshes]
        number = 0 if after is None else ids.index(after) + 1
        rows = [row for row in self.transactions.values() if self._changed[row["id"]] > number]
        return sorted(rows, key=lambda row: (-row["transacted_at"], row["id"]))

    @property
    def has_succeeded(self) -> bool:
        return any(refresh["status"] == "succeeded" for refresh in self.refreshes)

    def json(self) -> Json:
        latest = self.refreshes[-1] if self.refreshes else None
        refresh = latest and {**latest, "next_refresh_available_at": None}
        at = latest["last_attempted_at"] if latest else START
        balance = {"as_of": at, "type": "cash", "current": {"usd": self.balance}}
        balance["cash"] = {"available": {"usd": self.balance - 500}}
        fields: Json = {"id": self.id, "status": self.status, "transaction_refresh": refresh}
        fields |= {"permissions": self.permissions, "balance": balance}
        read = {"status": "succeeded", "last_attempted_at": at, "next_refresh_available_at": None}
        return {**samples.account(), **fields, "balance_refresh": read, **self.extra}


class Bank:
    """Accounts behind a transport; *meanwhile* is called before each answer and may change them."""

    def __init__(self, accounts: int = 1) -> None:
        clock = itertools.count(1)
        names = [f"fca_{number:04}" for number in range(accounts)]
        self.accounts = {name: BankAccount(name, clock) for name in names}
        self.meanwhile: Callable[[Request[Any]], BaseException | Answer | None] = lambda _: None
        self.requests: list[str] = []
        """The operation of each request."""

    def client(self, **options: Any) -> fcasync.Client:
        return fcasync.Client("sk_test_bank", transport=InstantTransport(self.respond), **options)

    def respond(self, request: Request[Any]) -> Any:
        response = self._answer(request)
        return answer(response, headers=_HEADERS) if isinstance(response, dict) else response

    def _answer(self, request: Request[Any]) -> Any:
        self.requests.append(request.operation.name)
        failure = self.meanwhile(request)
        if failure is not None:
            return failure
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        if request.operation.name == "list":
            return self._page([a.json() for a in self.accounts.values()], query)
        name = request.object_id or query["account"]
        account = self.accounts.get(name)
        if account is None:
            return _error(404, f"No such account: '{name}'", "account")
        if request.operation.name == "list_transactions":
            return self._transactions(account, query)
        if request.operation.name == "list_owners":
            return self._page(account.owners, query)
        return account.json()

    def _transactions(self, account: BankAccount, query: Mapping[str, str]) -> Any:
        if not account.has_succeeded:
            code = "financial_connections_no_successful_transaction_refresh"
            return _error(400, "There was no successful refresh yet.", "account", code)
        after = query.get("transaction_refresh[after]")
        if after is not None and after not in [each["id"] for each in account.refreshes]:
            what = f"No such transaction refresh: '{after}'"
            return _error(400, what, "transaction_refresh[after]")
        return self._page(account.listed(after), query)

    def _page(self, rows: list[Json], query: Mapping[str, str]) -> Json:
        ids = [row["id"] for row in rows]
        limit = int(query.get("limit", 10))
        if "ending_before" in query:
            end = ids.index(query["ending_before"])
            start = max(0, end - limit)
            has_more = start > 0
        else:
            start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
            end = start + limit
            has_more = end < len(rows)
        return {"object": "list", "data": rows[start:end], "has_more": has_more, "url": "/"}


def _error(status: int, message: str, param: str, code: str = "resource_missing") -> Answer:
    body = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
    return answer({"error": body}, status=status, headers=_HEADERS)
