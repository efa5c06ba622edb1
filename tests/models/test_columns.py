"""Lists as columns, and as Arrow tables that data frames read."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fcasync
from fcasync import Account, InvalidArgumentError, ItemList, Page, Session, Transaction
from fcasync.models import AccountOwner, Authorization, Balance, Event, ThinEvent
from fcasync.models._convert import decoder
from fcasync.sandbox import Sandbox
from fcasync.testing import make_account, make_event
from tests.models.samples import account_page
from tests.models.strategies import json_of


def test_a_column_has_a_value_for_each_item() -> None:
    """Nested fields have dotted names, instants are datetimes, enums are plain strings."""
    page = decoder(Page[Account])(account_page({}, {"id": "fca_2", "balance": None}))
    columns = page.to_columns()
    assert columns["id"] == [account.id for account in page]
    assert columns["balance.current.amount"][1] is None
    assert columns["balance.current.currency"][0] == "usd"
    assert type(columns["status"][0]) is str
    assert isinstance(columns["created"][0], datetime)
    assert {len(values) for values in columns.values()} == {2}


def test_columns_do_not_depend_on_the_data() -> None:
    """The files of an empty night and of a full one have the same columns."""
    full = ItemList([Account(id="fca_1", balance=Balance(current={"usd": 1}))])
    bare = ItemList([Account(id="fca_1")])
    empty = ItemList[Account](of=Account)
    assert list(full.to_columns()) == list(bare.to_columns()) == list(empty.to_columns())
    assert ItemList[Account]().to_columns() == {}


def test_several_currencies_add_columns() -> None:
    """No amount is lost, and none stands beside a currency that is not its own."""
    two = Account(id="fca_1", balance=Balance(current={"usd": 1, "eur": 2}))
    columns = ItemList([two, Account(id="fca_2")]).to_columns()
    assert columns["balance.current.amount"] == [2, None]
    assert columns["balance.current.currency"] == ["eur", None]
    assert columns["balance.current.amount.2"] == [1, None]
    assert columns["balance.current.currency.2"] == ["usd", None]


def test_an_expanded_object_is_its_id() -> None:
    """A column has one type, whether a field was expanded or not."""
    value = {"id": "fcaowns_1", "object": "financial_connections.account_ownership"}
    account = {"id": "fca_1", "object": "financial_connections.account", "ownership": value}
    assert ItemList([decoder(Account)(account)]).to_columns()["ownership"] == ["fcaowns_1"]


def test_secrets_have_no_column() -> None:
    """A file of sessions opens none of them."""
    session = Session(id="fcsess_1", client_secret="fcsess_1_secret_x")
    assert "fcsess_1_secret_x" not in str(ItemList([session]).to_columns())


def test_items_are_of_one_class() -> None:
    """Accounts and transactions have no columns in common."""
    mixed = ItemList[Any]([Account(id="fca_1"), Transaction(id="fctxn_1")])
    with pytest.raises(InvalidArgumentError, match="Account and Transaction"):
        mixed.to_columns()


@pytest.mark.parametrize(
    "cls",
    [Account, AccountOwner, Authorization, Session, ThinEvent, Transaction],
    ids=lambda cls: cls.__name__,
)
def test_every_object_that_can_be_read_has_columns(cls: Any) -> None:
    """Whatever Stripe sends, each column has one value of its type or None for each item."""

    @settings(max_examples=30, deadline=None)
    @given(st.lists(json_of(cls), max_size=3))
    def check(values: list[dict[str, Any]]) -> None:
        columns = ItemList(map(decoder(cls), values), of=cls).to_columns()
        assert {len(column) for column in columns.values()} == {len(values)}
        assert all(
            isinstance(v, (str, int, float, bool, datetime, list, dict))
            for column in columns.values()
            for v in column
            if v
        )

    check()


def test_events_have_columns() -> None:
    """Events of all types fit in one table, in which the object of each is its id."""
    decode = decoder(cast(Any, Event))
    unknown = {"id": "evt_2", "object": "event", "type": "x.y"}
    known = make_event()
    named = decode({**unknown, "data": {"object": {"id": "x_1"}}})
    events = ItemList[Any]([known, named, decode(unknown)], of=Event)
    assert isinstance(known.data.object, Account)
    assert events.to_columns()["data.object"] == [known.data.object.id, "x_1", None]
    assert list(events.to_columns()) == list(ItemList[Any](of=Event).to_columns())


def test_a_text_that_is_not_utf_8_stops_no_table() -> None:
    """Half a surrogate pair in one bank's text costs one character, and not all other rows."""
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    half = decoder(Account)(
        {
            "id": "fca_1",
            "object": "financial_connections.account",
            "display_name": "Joint \ud83d",
            "permissions": ["new \ud83d"],
            "account_numbers": [{"status": "new \ud83d", "expected_expiry_date": 1_700_000_000}],
        }
    )
    row = pyarrow.table(ItemList([half, Account(id="fca_2", display_name="Größe 😀")])).to_pylist()
    assert [each["display_name"] for each in row] == ["Joint \ufffd", "Größe 😀"]
    assert row[0]["permissions"] == ["new \ufffd"]
    assert json.loads(row[0]["account_numbers"])[0]["status"] == "new \ufffd"


def test_a_slice_is_a_list_of_the_same_kind() -> None:
    """The first rows of a list are shown as the whole list is, and remember their class."""
    items = ItemList([Transaction(id=f"fctxn_{n}") for n in range(3)])
    part = items[:0]
    assert type(part) is ItemList
    assert items[1].id == "fctxn_1"
    assert len(items[1:]) == 2
    assert type(Page(data=list(items))[:2]) is ItemList
    typed = ItemList(items, of=Transaction)
    assert list(typed[:0].to_columns()) == list(items.to_columns())
    assert pickle.loads(pickle.dumps(typed)) == typed


def test_a_list_behaves_as_a_list() -> None:
    """It is compared, added and searched as a list is; only changing it is not offered."""
    one, two = Transaction(id="fctxn_1"), Transaction(id="fctxn_2")
    items = ItemList([one])
    assert items == [one]
    assert [one] == items
    assert items != [two]
    assert items + ItemList([two]) == [one, two]
    assert [two] + items == [two, one]  # noqa: RUF005 - the other order
    assert (one in items, two in items) == (True, False)
    assert list(reversed(ItemList([one, two]))) == [two, one]
    assert not ItemList()
    with pytest.raises(TypeError):
        hash(items)


def test_a_long_list_is_shown_from_both_ends() -> None:
    """Three thousand accounts are sixty rows and a count, as in pandas, not megabytes."""
    items = ItemList([Transaction(id=f"fctxn_{n}") for n in range(3000)])
    html = items._repr_html_()
    assert "3000 Transactions" in html
    assert "… 2940 more" in html
    assert html.count("<style>") == 1
    assert html.count("<tr>") == 62
    assert len(html) < 10_000
    assert "fctxn_29<" in html
    assert "fctxn_2970<" in html
    assert "fctxn_1500" not in html
    assert "… 2990 more …" in repr(items)
    assert len(repr(items)) < 10_000


async def test_a_collected_list_knows_its_class_even_when_it_is_empty() -> None:
    """A nightly job that found nothing still writes a file with columns."""
    async with (
        Sandbox(accounts=2) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        accounts = await client.accounts.list().collect()
        none = await client.accounts.list(max_items=0).collect()
    assert list(none.to_columns()) == list(accounts.to_columns())
    assert accounts.to_columns()["id"] == [account.id for account in accounts]


def three() -> ItemList[Transaction]:
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    return ItemList(
        [
            Transaction(id="fctxn_1", amount=-1250, currency="usd", transacted_at=at),
            Transaction(id="fctxn_2", amount=2**53 + 1, currency="usd", livemode=True),
            Transaction(id="fctxn_3", description="…"),
        ]
    )


AMOUNTS = [-1250, 2**53 + 1, None]


def test_arrow_reads_a_list_with_its_types() -> None:
    """Whole numbers stay whole beyond 2**53, and instants keep their zone."""
    pa = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    table = pa.table(three())
    assert table["amount"].to_pylist() == AMOUNTS
    assert table.schema.field("transacted_at").type == pa.timestamp("us", "UTC")
    assert table["transacted_at"][0].as_py() == datetime(2026, 11, 1, 12, tzinfo=UTC)
    empty = pa.table(ItemList[Transaction](of=Transaction))
    assert empty.schema == table.schema


def test_polars_reads_a_list() -> None:
    """A data frame needs neither a loop nor a copy by hand."""
    pytest.importorskip("pyarrow", reason="needs the extra arrow")
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(three())["amount"].to_list() == AMOUNTS


def test_pandas_reads_a_list() -> None:
    """The columns are those of to_columns()."""
    pytest.importorskip("pyarrow", reason="needs the extra arrow")
    pandas = pytest.importorskip("pandas", minversion="2.2")
    frame = pandas.DataFrame(three().to_columns())
    assert list(frame["id"]) == ["fctxn_1", "fctxn_2", "fctxn_3"]
    if hasattr(pandas.DataFrame, "from_arrow"):
        assert list(pandas.DataFrame.from_arrow(three())["id"]) == list(frame["id"])


def test_duckdb_queries_a_list() -> None:
    """SQL over a list in memory."""
    pytest.importorskip("pyarrow", reason="needs the extra arrow")
    duckdb = pytest.importorskip("duckdb")
    items = three()
    found = duckdb.sql("select sum(amount) from items where currency = 'usd'").fetchall()
    assert found == [(sum(amount for amount in AMOUNTS if amount),)], items


def test_lists_in_arrow_are_json() -> None:
    """What has no simple type is text that every engine can take apart."""
    pa = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    page = decoder(Page[Account])(account_page({}))
    table = pa.table(page)
    assert table.schema.field("permissions").type == pa.list_(pa.string())
    assert table.schema.field("account_numbers").type == pa.string()


@pytest.mark.parametrize("amount", [2**63, -(2**63) - 1, 10**30])
def test_an_amount_that_arrow_cannot_hold_is_named(amount: int) -> None:
    """The message says which column of which row, and what takes it as it is."""
    pa = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    balance = {"as_of": 1, "current": {"usd": amount}, "type": "cash"}
    items = ItemList([make_account(), make_account(id="fca_2", balance=balance)])
    words = rf"balance\.current\.amount of row 1 .* is {amount}, .* to_columns\(\)"
    with pytest.raises(InvalidArgumentError, match=words):
        pa.table(items)
    assert items.to_columns()["balance.current.amount"][1] == amount


@pytest.mark.parametrize("amount", [2**63 - 1, -(2**63)])
def test_the_largest_amounts_that_arrow_holds_are_exact(amount: int) -> None:
    """Both ends of 64 bits."""
    pa = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    balance = {"as_of": 1, "current": {"usd": amount}, "type": "cash"}
    table = pa.table(ItemList([make_account(balance=balance)]))
    assert table["balance.current.amount"].to_pylist() == [amount]
