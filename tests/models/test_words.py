"""Enums of strings: how they are printed."""

import copy
import pickle
from collections import Counter
from enum import StrEnum

import pytest

import fcasync
from fcasync import bulk, models

ENUMS = [
    kind
    for module in (fcasync, models, bulk)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, StrEnum)
]


@pytest.mark.parametrize("enum", dict.fromkeys(ENUMS), ids=lambda enum: enum.__name__)
def test_a_member_is_printed_as_the_string_that_it_equals(enum: type[StrEnum]) -> None:
    """Also in containers, and pickled and copied it is itself."""
    for member in enum:
        assert f"{member}" == member.value
        assert repr(member) == repr(member.value)
        assert pickle.loads(pickle.dumps(member)) is member
        assert copy.deepcopy(member) is member


def test_counted_statuses_read_as_words() -> None:
    """What a person prints first after a job."""
    done = bulk.OutcomeStatus.SUCCEEDED
    assert repr(Counter([done, done])) == "Counter({'succeeded': 2})"
    assert "status='succeeded'" in repr(bulk.Outcome(account_id="fca_1", status=done))
