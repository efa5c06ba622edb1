"""Dealing tenants out, whatever the order in which lanes and tenants come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync.cluster._deal import Deal

EVENTS = st.lists(
    st.tuples(st.sampled_from(["join", "lose", "add", "done", "deal"]), st.integers(0, 5))
)


@given(events=EVENTS, at_once=st.integers(1, 4))
def test_no_tenant_is_in_two_lanes_and_none_is_forgotten(
    events: list[tuple[str, int]], at_once: int
) -> None:
    """Every tenant that is not done waits, or is in exactly one lane, which is not too full."""
    deal, alive, names = Deal(at_once), set[str](), 0
    for event, number in events:
        lane = f"lane {number}"
        if event == "join" and lane not in deal.lanes:
            deal.join(lane)
        elif event == "lose":
            deal.lose(lane)
        elif event == "add":
            names += 1
            alive.add(f"acct_{names}")
            deal.add(f"acct_{names}")
        elif event == "done" and deal.lanes.get(lane):
            alive.discard(tenant := deal.lanes[lane][0])
            deal.done(lane, tenant)
        elif event == "deal":
            dealt = deal.deal()
            assert len(dict.fromkeys(tenant for _, tenant in dealt)) == len(dealt)
            full = all(len(of) == at_once for of in deal.lanes.values())
            assert not deal.waiting or full
        held = [*deal.waiting, *(tenant for of in deal.lanes.values() for tenant in of)]
        assert sorted(held) == sorted(alive)
        assert all(len(of) <= at_once for of in deal.lanes.values())
        assert deal.is_empty == (not alive)


@given(lanes=st.integers(1, 5), tenants=st.integers(0, 40))
def test_lanes_get_as_many_tenants_as_each_other(lanes: int, tenants: int) -> None:
    """The difference is one at most."""
    deal = Deal(at_once=100)
    for number in range(lanes):
        deal.join(f"lane {number}")
    for number in range(tenants):
        deal.add(f"acct_{number}")
    deal.deal()
    sizes = [len(of) for of in deal.lanes.values()]
    assert max(sizes) - min(sizes) <= 1


def test_tenants_of_a_lost_lane_come_first() -> None:
    """What was begun is ended before something else is begun."""
    deal = Deal(at_once=2)
    deal.join("a")
    for tenant in ("acct_1", "acct_2", "acct_3"):
        deal.add(tenant)
    deal.deal()
    assert deal.lose("a") == ["acct_1", "acct_2"]
    deal.join("b")
    assert deal.deal() == [("b", "acct_1"), ("b", "acct_2")]


def test_the_total_rate_is_shared_by_lanes_that_have_tenants() -> None:
    """A lane without tenants would waste its part."""
    deal = Deal(at_once=1)
    for lane in ("a", "b", "c"):
        deal.join(lane)
    for tenant in ("acct_1", "acct_2"):
        deal.add(tenant)
    deal.deal()
    assert deal.share("a", 50.0) == 25.0
    assert deal.share("a", None) is None
