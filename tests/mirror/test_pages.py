"""Pages of transactions become rows by column, and by model where something is unusual."""

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fcasync
from fcasync.mirror import Mirror
from fcasync.mirror import _pages as pages
from fcasync.mirror._packed import Packed
from fcasync.mirror._rows import TRANSACTION
from fcasync.mirror._tables import metadata
from fcasync.mirror._upserts import LARGEST, TRANSACTIONS, Instants
from fcasync.models._instant import MAX, MIN
from fcasync.testing import InstantTransport
from fcasync.testing import _samples as samples
from tests._bank import Json
from tests.mirror._look import table
from tests.mirror.test_mirror import refreshed_bank

NAMES = list(metadata.tables["transactions"].columns.keys())
instants = st.none() | st.integers(MIN, MAX)
texts = st.none() | st.text('a\u00e9\u20ac\U0001f600"\\\n', max_size=6)
transaction = st.fixed_dictionaries(
    {
        "id": st.text("abc", min_size=1, max_size=3),
        "account": texts,
        "amount": st.none() | st.integers(-(2**62), 2**62),
        "currency": texts,
        "description": texts,
        "livemode": st.none() | st.booleans(),
        "object": st.just("financial_connections.transaction"),
        "status": texts,
        "status_transitions": st.fixed_dictionaries({"posted_at": instants, "void_at": instants}),
        "transacted_at": instants,
        "transaction_refresh": texts,
        "updated": instants,
    },
    optional={"later": texts, "secret": texts},
)


def page(*items: Json, **fields: Any) -> Json:
    return {"object": "list", "data": list(items), "has_more": False, "url": "/", **fields}


def rows(found: pages.ListedPage) -> list[Json]:
    """Return the rows of a page by the names of their columns."""
    packed = found.rows.with_shared(stripe_account="acct_1", account="fca_1")
    values = packed.unpacked(NAMES)
    starts = range(0, len(values), len(NAMES))
    return [dict(zip(NAMES, values[at : at + len(NAMES)], strict=True)) for at in starts]


def without_order(found: list[Json]) -> list[Json]:
    return [{**row, "raw": orjson.loads(row["raw"])} for row in found]


@pytest.mark.parametrize("as_text", [True, False])
@given(items=st.lists(transaction, max_size=6, unique_by=lambda item: str(item["id"])))
def test_both_ways_make_the_same_rows(as_text: bool, items: list[Json]) -> None:
    """What is stored does not depend on whether a page is just as expected."""
    at = Instants(as_text=as_text).of
    value = page(*items)
    by_column = pages._by_column(value, at) if items else Packed(names=TRANSACTION)
    assert by_column is not None
    quick = pages.ListedPage([], False, by_column)
    slow = pages._by_model(value, at)
    assert without_order(rows(quick)) == without_order(rows(slow))
    assert "secret" not in str(rows(quick))


def changed(**fields: Any) -> Json:
    return {**samples.transaction(), "id": "fctxn_1", **fields}


NEVER = object()


@pytest.mark.parametrize(
    "fields",
    [
        {"status_transitions": None},
        {"description": "a\0b"},
        {"id": "fctxn_\0"},
        {"status": "\0"},
        {"amount": NEVER},
        {"updated": NEVER},
        {"description": "half a pair \ud83d"},
        {"status_transitions": {"posted_at": 1}},
    ],
)
def test_what_is_unusual_is_stored_too(fields: Json) -> None:
    """A null object, a missing field, and characters that a database cannot hold."""
    item = {name: value for name, value in changed(**fields).items() if value is not NEVER}
    (row,) = rows(pages.reader(Instants(as_text=True).of)(page(item)))
    assert row["stripe_account"] == "acct_1"
    assert "\0" not in f"{row['id']}{row['description']}{row['status']}{row['raw']}"
    assert "\\u0000" not in row["raw"]
    f"{row}".encode()  # no half of a pair


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 7},
        {"id": None},
        {"amount": "7"},
        {"amount": True},
        {"amount": 1.5},
        {"currency": 840},
        {"description": ["x"]},
        {"livemode": 1},
        {"object": "charge"},
        {"transacted_at": "2026-01-01"},
        {"transacted_at": MAX + 1},
        {"updated": False},
        {"status_transitions": []},
        {"status_transitions": {"posted_at": "1"}},
        {"status_transitions": {"posted_at": True, "void_at": None}},
        {"status_transitions": {"posted_at": None, "void_at": MIN - 1}},
    ],
)
def test_what_is_wrong_is_named(fields: Json) -> None:
    """The error of the models has the path, as in every other call."""
    read = pages.reader(Instants(as_text=True).of)
    with pytest.raises(fcasync.ProtocolError, match=r"\$\.data\[1\]\."):
        read(page(changed(id="fctxn_0"), changed(**fields)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        page(has_more="yes"),
        page(object="search_result"),
        page(url=7),
        {**page(), "data": None},
        page("fctxn_1"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_a_page_is_named(value: Any) -> None:
    """Wherever it differs."""
    with pytest.raises(fcasync.ProtocolError, match=r"\$"):
        pages.reader(Instants(as_text=True).of)(value)


def test_a_page_without_transactions_has_no_rows() -> None:
    """Nor has it a last one; has_more may be left out."""
    value = page()
    del value["has_more"]
    found = pages.reader(Instants(as_text=True).of)(value)
    assert (found.data, found.has_more, rows(found)) == ([], False, [])


def test_a_transaction_twice_on_a_page_has_one_row() -> None:
    """PostgreSQL refuses to write a row twice in one statement; the later one counts."""
    value = page(changed(amount=1), changed(amount=2), has_more=True)
    found = pages.reader(Instants(as_text=True).of)(value)
    assert [row["amount"] for row in rows(found)] == [2]
    assert (found.data[0].id, found.has_more) == ("fctxn_1", True)


SHARED = {
    "currency": "eur",
    "status": "void",
    "posted_at": 1_700_000_000,
    "void_at": 1_700_000_001,
    "transaction_refresh": "fctxnref_other",
    "updated": 1_700_000_002,
}
"""A value of each column that most rows of a page share, and that only one row has."""


def full_page(odd: str | None) -> list[Json]:
    """Return a full page, whose last row alone has another value in the column *odd*."""
    items = [changed(id=f"fctxn_{number:03}") for number in range(LARGEST)]
    for item in items:
        item["status_transitions"] = {"posted_at": None, "void_at": None}
    last = items[-1]
    if odd is not None:
        of = last["status_transitions"] if odd in last["status_transitions"] else last
        of[odd] = SHARED[odd]
    return items


@pytest.mark.parametrize("odd", [None, *SHARED])
async def test_what_the_rows_of_a_full_page_share_is_bound_once(url: str, odd: str | None) -> None:
    """It is stored in every row, and a value that one row alone has in that row alone."""
    at = Instants(as_text=url.startswith("sqlite")).of
    found = pages.reader(at)(page(*full_page(odd)))
    packed = found.rows.with_shared(stripe_account="", account="fca_1")
    expected = {"stripe_account", "account", "revision", *SHARED} - {odd}
    assert set(packed.shared) == expected
    async with Mirror(url) as mirror, mirror._database.session() as session:
        dialect = mirror._database.engine.dialect
        await session.carry_out(TRANSACTIONS.write_packed(dialect, [packed]))
        stored = await table(url, "transactions")
        slow = pages._by_model(page(*full_page(odd)), at).rows
        slow = slow.with_shared(stripe_account="", account="fca_2")
        await session.carry_out(TRANSACTIONS.write_packed(dialect, [slow]))
    others = [{**row, "account": "fca_1"} for row in (await table(url, "transactions"))[LARGEST:]]
    assert len(stored) == LARGEST
    assert stored == others


def test_the_rows_of_a_page_are_shown_without_their_values() -> None:
    """The descriptions of a customer's transactions have no place in a log."""
    found = pages.reader(Instants(as_text=True).of)(page(*full_page("status")))
    assert samples.transaction()["description"] not in repr(found.rows)


async def test_half_a_surrogate_pair_stops_no_sync(url: str) -> None:
    """One bank's odd description is stored with a sign in its place."""
    bank = refreshed_bank(1, rows=0)
    (account,) = bank.accounts.values()
    account.refresh([{"id": "fctxn_1", "description": "DESCRIPTION"}])

    def odd(request: Any) -> Any:
        found: Any = bank.respond(request)
        return attrs.evolve(found, body=found.body.replace(b"DESCRIPTION", rb"Caf\u00e9 \ud83d"))

    client = fcasync.Client("sk_test_bank", transport=InstantTransport(odd))
    async with Mirror(url) as mirror:
        report = await mirror.sync(client, [account.id])
    (row,) = await table(url, "transactions")
    assert (report.synced, row["description"]) == (1, "Caf\u00e9 \ufffd")
    assert row["raw"]["description"] == row["description"]


@pytest.mark.parametrize("field", ["transaction", "balance"])
async def test_an_amount_that_no_database_holds_fails_its_account_alone(
    url: str, field: str
) -> None:
    """The others are stored; the largest that fits is stored as it is."""
    bank = refreshed_bank(2, rows=0)
    good, bad = bank.accounts.values()
    good.refresh([{"id": "fctxn_1", "amount": -(2**63)}])
    bad.refresh([{"id": "fctxn_2", "amount": 2**63 if field == "transaction" else 1}])
    if field == "balance":
        bad.balance = 2**63
    client = bank.client()
    async with Mirror(url) as mirror, mirror.sync(client, list(bank.accounts)) as run:
        found = {each.account_id: (each.status, each.reason) async for each in run}
    assert found == {good.id: ("synced", None), bad.id: ("failed", "protocol_error")}
    assert [row["amount"] for row in await table(url, "transactions")] == [-(2**63)]
