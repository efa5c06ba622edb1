"""What travels between driver and lanes."""

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync.bulk._plan.task import Row
from fcasync.cluster import _wire

NUMBERS = st.integers(0, 2**40)
TEXTS = st.text(max_size=20)
ROWS = st.builds(
    Row,
    TEXTS,
    st.sampled_from(["open", "settling", "accepted", "failed"]),
    NUMBERS,
    NUMBERS,
    is_certain=st.booleans(),
    attempts=NUMBERS,
    replayed=st.booleans(),
    reason=st.none() | TEXTS,
    error=st.none() | TEXTS,
    available_at=st.none() | NUMBERS,
    seq=NUMBERS,
    stripe_account=TEXTS,
)


@given(row=ROWS, number=NUMBERS, is_admission=st.booleans())
def test_a_row_arrives_as_it_was_sent(row: Row, number: int, is_admission: bool) -> None:
    """The driver's journal holds what the lane wanted to remember."""
    sent = _wire.Answer(writes=[[number, is_admission, _wire.row_to_cells(row)]], time=1)
    received = _wire.decode(_wire.encode(sent))
    assert isinstance(received, _wire.Answer)
    ((got_number, got_is_admission, cells),) = received.writes
    assert (got_number, got_is_admission) == (number, is_admission)
    assert _wire.cells_to_row(cells) == row


@given(
    acks=st.lists(st.tuples(NUMBERS, st.none() | st.just(_wire.OVER)).map(list)),
    feed=st.lists(st.tuples(TEXTS, st.none() | st.lists(TEXTS), st.booleans()).map(list)),
    total_rate=st.none() | st.floats(0.1, 1e6),
    is_last=st.booleans(),
)
def test_an_exchange_arrives_as_it_was_sent(**fields: Any) -> None:
    """Encoding and decoding are each other's inverse."""
    sent = _wire.Exchange(lane="lane", job="job", number=1, **fields)
    assert _wire.decode(_wire.encode(sent)) == sent


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b'{"is": "Row"}', b'{"is": "Gone", "more": 1}', b"x"]
)
def test_what_is_not_a_message_is_refused(data: bytes) -> None:
    """A worker of another version is noticed, instead of misunderstood."""
    with pytest.raises(ValueError, match=r"."):
        _wire.decode(data)


def test_no_message_has_a_field_for_a_key() -> None:
    """Messages hold fingerprints of API keys; the arguments of a client are listed one by one."""
    from fcasync.cluster._settings import _CLIENT_OPTIONS

    names = {name for cls in _wire._CLASSES.values() for name in attrs.fields_dict(cls)}
    assert {name for name in names if "key" in name or "secret" in name} == {"api_key"}
    assert not {name for name in _CLIENT_OPTIONS if "key" in name or "headers" in name}
    fields = orjson.loads(_wire.encode(_wire.Gone()))
    assert fields == {"is": "Gone"}
