"""The generated functions: what they learn from the objects that they meet changes no answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.models import AccountHolder, Page, Transaction
from fcasync.models._build import structure_function
from fcasync.models._convert import _converter

NAMES = ("account", "customer", "customer_account", "type", "x_new", "y_new")


def fresh(cls: Any) -> Any:
    """Return a function that has met no object yet."""
    return structure_function(cls, _converter().get_structure_hook)


objects = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["customer", "acct_1", None]))


@given(st.lists(objects, max_size=12))
def test_objects_of_any_shapes_in_any_order_are_decoded_as_if_each_were_the_first(
    sequence: list[dict[str, Any]],
) -> None:
    """Absent, null and unknown names are distinguished, whatever came before."""
    taught = fresh(AccountHolder)
    for value in sequence:
        once, alone = taught(value, None), fresh(AccountHolder)(value, None)
        assert once == alone
        assert once.extra == {name: value[name] for name in value if name.endswith("_new")}


def test_a_known_name_in_the_place_of_an_unknown_one_is_not_an_extra() -> None:
    """Two objects with as many names, one of them with a name that the other lacks."""
    taught = fresh(AccountHolder)
    taught({"customer": "cus_1", "type": "customer", "x_new": 1}, None)
    second = taught({"customer": "cus_2", "type": "customer", "account": "acct_1"}, None)
    assert (second.account, dict(second.extra)) == ("acct_1", {})


@pytest.mark.parametrize("cls", [Page[Transaction], AccountHolder])
def test_a_function_learns_a_few_shapes_and_no_more(cls: Any) -> None:
    """Answers that differ without end cost no compilation without end."""
    taught = fresh(cls)
    base: dict[str, Any] = (
        {} if cls is AccountHolder else {"object": "list", "data": [], "has_more": None}
    )
    seen = set()
    for number in range(20):
        taught({**base, **{f"x_{other}": 1 for other in range(number)}}, None)
        seen.add(taught.__code__)
    assert len(seen) == 4
    assert taught.__globals__["learn"] is None


def test_a_repeated_shape_is_learned_once() -> None:
    """The flag's null, which a shape does not serve, brings the same shape again and again."""
    taught = fresh(Page[Transaction])
    for _ in range(3):
        page = taught({"object": "list", "data": [], "has_more": None, "url": None}, None)
        assert page.has_more is False
    before = taught.__code__
    taught({"object": "list", "data": [], "has_more": None, "url": None}, None)
    assert taught.__code__ is before
