"""The blocking classes follow from the asynchronous ones, and nothing is missing."""

import inspect
from typing import Any

import pytest

import fcasync
from fcasync import blocking, bulk
from tests.blocking.generate import FOLDER, LEFT_OUT, modules, resources

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
OTHERWISE = {
    "Client": {"aclose": "close"},
    "Paginator": {},
    "TransactionSync": {},
    "BulkRun": {},
}
"""What has another name without ``await``."""

pytest.importorskip("ruff", reason="needs ruff")


def test_the_generated_modules_are_up_to_date() -> None:
    """After a change of a signature: python -m tests.blocking.generate."""
    written = {path.name: path.read_text() for path in FOLDER.glob("*.py")}
    del written["__init__.py"]
    assert written == modules()


def public(each: object) -> set[str]:
    return {name for name in dir(each) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Client", *(name for name, _ in resources())])
def test_everything_has_a_blocking_twin(name: str) -> None:
    """A resource or a method that is added to the asynchronous client is missed here by name."""
    one, other = fcasync.Client(KEY), blocking.Client(KEY)
    if name != "Client":
        one, other = getattr(one, name), getattr(other, name)
    renamed = OTHERWISE.get(name, {})
    assert {renamed.get(each, each) for each in public(one)} == public(other)
    if hasattr(one, "with_raw_response"):
        assert public(one.with_raw_response) == public(getattr(other, "with_raw_response", None))


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        (fcasync.Paginator, blocking.Paginator, {"page"}),
        (fcasync.TransactionSync, blocking.TransactionSync, set()),
        (bulk.BulkRun, blocking.BulkRun, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_iterated_has_a_blocking_twin(one: Any, other: Any, more: set[str]) -> None:
    """Lists, syncs and runs are written by hand, and have the same attributes."""
    known = {"account_id", "after"} if one is fcasync.TransactionSync else set[str]()
    assert public(one) | known | more == public(other)


@pytest.mark.parametrize("name", [name for name, _ in resources()])
def test_a_method_takes_the_same_arguments(name: str) -> None:
    """``help()`` and editors show the arguments of the asynchronous method."""
    one, other = getattr(fcasync.Client(KEY), name), getattr(blocking.Client(KEY), name)
    for each in public(other) - {"with_raw_response"}:
        shown = inspect.signature(getattr(other, each)).parameters
        assert shown == inspect.signature(getattr(one, each)).parameters, each


def test_a_client_takes_the_same_arguments() -> None:
    """Except an aiohttp session, which belongs to a loop of its maker's."""
    shown = dict(inspect.signature(blocking.Client).parameters)
    wanted = dict(inspect.signature(fcasync.Client).parameters)
    assert {name: wanted.pop(name) for name in LEFT_OUT}.keys() == LEFT_OUT
    assert shown == wanted
    with pytest.raises(TypeError, match="session"):
        blocking.Client(KEY, session=None)  # type: ignore[call-arg]
