"""What banks do to transactions from one refresh to the next."""

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from fcasync.sandbox._bank.seed import Seed
from fcasync.sandbox._bank.statement import Statement, number_at
from fcasync.sandbox._bank.states import DAY, Refresh, Timing

FAILING = Timing(failure_rate=0.4)
SEEDS = st.integers(0, 2**32)


def after(refreshes: int, seed: int = 0, index: int = 0, timing: Timing = FAILING) -> Statement:
    """Return a statement after that many refreshes, some of which have failed."""
    world = Seed(seed, 25)
    refresh = world.state(index).transactions
    now = 1e9
    for _ in range(refreshes):
        refresh = refresh.begun(now, timing)
        now += 100.0
        refresh = refresh.settled(now, timing)
    return Statement(world, world.facts(index), refresh, timing)


def rows(statement: Statement, earliest: int = 0) -> dict[str, dict[str, Any]]:
    listed = [statement.transaction(number_at(place)) for place in statement.places(earliest)]
    return {row["id"]: row for row in listed}


@given(SEEDS, st.integers(0, 24), st.integers(0, 6), st.integers(0, 6))
def test_after_a_refresh_lists_what_later_ones_brought_or_changed_and_nothing_else(
    seed: int, index: int, first: int, more: int
) -> None:
    """The filter is exact: old rows together with what it lists are the new rows."""
    before, now = after(first, seed, index), after(first + more, seed, index)
    old, new = rows(before), rows(now)
    last_success = attrs.asdict(before._refresh)["last_success"]
    changed = {id_: row for id_, row in new.items() if old.get(id_) != row}
    assert rows(now, last_success) == changed
    assert old.keys() <= new.keys()


@given(SEEDS, st.integers(0, 24), st.integers(1, 8))
def test_lists_are_in_the_order_of_time(seed: int, index: int, refreshes: int) -> None:
    """The newest transaction comes first, late ones in between."""
    times = [row["transacted_at"] for row in rows(after(refreshes, seed, index)).values()]
    assert times == sorted(times, reverse=True)


def history() -> list[list[dict[str, Any]]]:
    """Return, for each transaction of many accounts, what each refresh showed."""
    seen: dict[str, list[dict[str, Any]]] = {}
    for index in range(25):
        for refreshes in range(8):
            for id_, row in rows(after(refreshes, index=index, timing=Timing())).items():
                seen.setdefault(id_, []).append(row)
    return list(seen.values())


def test_transactions_go_through_what_real_ones_go_through() -> None:
    """Pending ones are posted or void, amounts and descriptions change, and void ones stay."""
    lives = history()
    ways = {tuple(dict.fromkeys(row["status"] for row in life)) for life in lives}
    assert ways >= {("posted",), ("pending", "posted"), ("pending", "void"), ("pending",)}
    assert ways <= {
        ("posted",),
        ("pending", "posted"),
        ("pending", "void"),
        ("pending",),
        ("void",),
    }
    assert any(len({row["amount"] for row in life}) == 3 for life in lives)
    assert any(
        len({row["description"] for row in life if row["status"] == "posted"}) == 2
        for life in lives
    )
    updates = [[row["updated"] for row in life] for life in lives]
    assert all(times == sorted(times) for times in updates)


def test_some_transactions_arrive_late() -> None:
    """A later refresh brings transactions from before those of an earlier one."""
    known, now = rows(after(3, timing=Timing())), rows(after(8, timing=Timing()))
    newest = max(row["transacted_at"] for row in known.values())
    assert [id_ for id_ in now.keys() - known.keys() if now[id_]["transacted_at"] < newest]


@given(SEEDS, st.integers(0, 24), st.integers(1, 8))
def test_a_transaction_names_a_refresh_that_succeeded(
    seed: int, index: int, refreshes: int
) -> None:
    """What a failed refresh would have brought comes with the next successful one."""
    world = Seed(seed, 25)
    found = after(refreshes, seed, index)
    succeeded = {
        refresh.last_success
        for number in range(refreshes + 1)
        if (refresh := after(number, seed, index)._refresh).last_success
    }
    named = {
        (world.refresh_ids.decode(row["transaction_refresh"]) or 0) % (1 << 20)
        for row in rows(found).values()
    }
    assert named <= succeeded


def test_a_refresh_that_was_never_begun_has_no_transaction() -> None:
    """Before any success there is nothing to list."""
    world = Seed(0, 25)
    assert len(Statement(world, world.facts(1), Refresh(1), Timing())) == 0


def test_what_the_first_refresh_finds_fills_months() -> None:
    """Spending by month can be tried on it; what later refreshes find follows closely."""
    for index in (0, 2, 4):
        first = [
            row["transacted_at"] for row in rows(after(1, index=index, timing=Timing())).values()
        ]
        assert max(first) - min(first) > 40 * DAY
        all_ = [row["transacted_at"] for row in rows(after(400, index=index)).values()]
        assert max(all_) - max(first) < 60 * DAY
