"""Stripe's form encoding."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync._rules.form import decode, encode
from fcasync.errors import InvalidArgumentError
from tests._paths import DATA

CASES = DATA / "cases" / "encoding.json"


def cases() -> list[Any]:
    """Return the official SDK's cases; none where the file is absent."""
    rows = json.loads(CASES.read_text())["cases"]
    return [pytest.param(row["params"], row["encoded"], id=row["name"]) for row in rows]


@pytest.mark.parametrize(("params", "encoded"), cases())
def test_published_cases(params: dict[str, Any], encoded: str) -> None:
    """Parameters become exactly the bytes that the official SDKs send."""
    assert encode(params) == encoded


names = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1)
names = names.filter(lambda name: not (name.isascii() and name.isdigit()))
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    texts,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4)
        | st.dictionaries(names, inner, min_size=1, max_size=4)
    ),
    max_leaves=10,
)


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inside))
    return 0


@given(st.dictionaries(names, values.filter(lambda value: depth(value) < 7), max_size=5))
def test_encode_then_decode_is_the_identity(params: dict[str, Any]) -> None:
    """Whatever nesting of texts goes in comes out again."""
    assert decode(encode(params)) == params


@pytest.mark.parametrize(
    "text", ["f[0]=a&f[1]=b", "f[]=a&f[]=b", "f%5B0%5D=a&f%5B1%5D=b", "f%5b%5d=a&f[]=b"]
)
def test_both_list_forms_are_read(text: str) -> None:
    """Indexed and empty brackets, raw or percent-encoded, mean the same list."""
    assert decode(text) == {"f": ["a", "b"]}


@pytest.mark.parametrize(
    "text",
    [
        "a[=1",
        "a]b[=1",
        "a[b=1",
        "a[[b]]=1",
        "a=1&a[b]=2",
        "a[b]=1&a=2",
        "a=%ff",
        "a[b][c]=1&a[b]=2",
    ],
)
def test_a_name_that_cannot_be_read_is_refused(text: str) -> None:
    """Unbalanced brackets, a name with two meanings and bytes that are not UTF-8 are refused."""
    with pytest.raises(ValueError, match=r"parameter|utf-8"):
        decode(text)


def test_deep_nesting_is_refused() -> None:
    """A name nested a thousand deep costs a sentence, not a stack overflow."""
    with pytest.raises(ValueError, match="nested"):
        decode("a" + "[b]" * 1000 + "=1")


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, ""),
        (True, "x=true"),
        (Colour.RED, "x=red"),
        (SimpleNamespace(id="fca_1"), "x=fca_1"),
        (datetime(2023, 11, 14, 22, 13, 20, 999_999, tzinfo=UTC), "x=1700000000"),
        (datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), "x=-1"),
        (datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))), "x=1700000000"),
    ],
)
def test_values_that_are_not_text(value: Any, encoded: str) -> None:
    """None is left out, instants are whole Unix seconds rounded down, objects are their id."""
    assert encode({"x": value}) == encoded


@pytest.mark.parametrize(
    "value",
    [
        [None],
        float("nan"),
        float("inf"),
        b"bytes",
        {1, 2},
        date(2024, 1, 1),
        datetime(2024, 1, 1),
        object(),
        "\ud800",
        pytest.param(10**5000, id="5000 digits"),
        2**63,
        {1: "x"},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}},
    ],
)
def test_values_without_a_meaning_are_refused(value: Any) -> None:
    """What the encoding cannot say is refused with the parameter's name."""
    with pytest.raises(InvalidArgumentError, match=r"^x"):
        encode({"x": value})


class Sly(str):
    """A string that says something else when asked."""

    __slots__ = ()

    def __str__(self) -> str:
        return "other"

    def __format__(self, spec: str) -> str:
        return "other"


@pytest.mark.parametrize("text", ["fca_1", "a b", ""])
def test_a_kind_of_string_is_sent_as_what_it_is(text: str) -> None:
    """Its characters count, not what it says of itself."""
    assert encode({"x": Sly(text)}) == encode({"x": text})
    assert encode({"x": [Sly(text)]}) == encode({"x": [text]})


def test_a_kind_of_string_is_not_a_name() -> None:
    """The name of a parameter is an exact string."""
    with pytest.raises(InvalidArgumentError, match="a name must be a string"):
        encode({Sly("x"): 1})


NAMES = {
    "é": "%C3%A9",
    "a b": "a%20b",
    "a[b": "a%5Bb",
    "a=b&c": "a%3Db%26c",
    "ａ": "%EF%BD%81",  # noqa: RUF001 - on purpose
}


@pytest.mark.parametrize(("name", "encoded"), NAMES.items())
def test_a_name_is_encoded_like_a_value(name: str, encoded: str) -> None:
    """At the top and inside brackets, also where Python takes it for an identifier."""
    assert encode({name: 1}) == f"{encoded}=1"
    assert encode({"x": {name: 1}}) == f"x[{encoded}]=1"


@pytest.mark.parametrize("size", [10, 11, 101, 1001])
def test_a_long_list_keeps_its_order(size: int) -> None:
    """Indices are numbers: the eleventh item does not come after the second."""
    items = [f"v{n}" for n in range(size)]
    assert decode(encode({"x": items})) == {"x": items}
    shuffled = "&".join(f"x[{n}]=v{n}" for n in sorted(range(size), key=str))
    assert decode(shuffled) == {"x": items}
