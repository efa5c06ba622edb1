"""The table of the kinds of fields."""

from collections.abc import Iterator
from typing import Any, get_args

import attrs
import pytest

from fcasync import models
from fcasync.models import Account, Authorization, Event, EventData, Page
from fcasync.models._kinds import KINDS, hints, without_none
from tests.models.strategies import BY_KIND

GENERIC: dict[Any, list[Any]] = {
    Page: [Page[Account]],
    Event: [Event[Authorization], Event[dict[str, Any]]],
    EventData: [EventData[Account], EventData[dict[str, Any]]],
}


def types() -> Iterator[Any]:
    """Yield the type of each field of each model, and those of the items of lists."""
    for name in models.__all__:
        if attrs.has(model := getattr(models, name)):
            for cls in GENERIC.get(model, [model]):
                for hint in hints(cls).values():
                    yield without_none(hint)
                    if kind_names(without_none(hint)) in (["list"], ["enums"]):
                        yield get_args(without_none(hint))[0]


def kind_names(cls: Any) -> list[str]:
    return [name for name, kind in KINDS.items() if kind.matches(cls)]


@pytest.mark.parametrize("cls", {str(cls): cls for cls in types()}.values(), ids=str)
def test_a_field_is_of_one_kind(cls: Any) -> None:
    """Every type that a model uses is matched by exactly one row."""
    assert len(kind_names(cls)) == 1


def test_every_kind_is_used_and_tested() -> None:
    """No row is left over, and hypothesis makes values for each."""
    used = {name for cls in types() for name in kind_names(cls)}
    assert used == KINDS.keys() == BY_KIND.keys()
