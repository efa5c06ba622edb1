"""Ids that can be read back to numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.sandbox._bank.ids import Ids, part, parted

INDICES = st.integers(0, 2**48 - 1)


@given(index=INDICES, seed=st.integers(0, 2**64 - 1))
def test_an_id_reads_back_to_its_index(index: int, seed: int) -> None:
    """No table is needed to find the object of an id."""
    ids = Ids("fca_", seed)

    assert ids.decode(ids.encode(index)) == index


@given(index=INDICES, position=st.integers(0, 27), digit=st.sampled_from("09azAZ_-. "))
def test_a_mistyped_id_is_unknown(index: int, position: int, digit: str) -> None:
    """A changed character never leads to another object."""
    ids = Ids("fca_", 7)
    text = ids.encode(index)
    typo = text[:position] + digit + text[position + 1 :]

    assert ids.decode(typo) == (index if typo == text else None)


@given(text=st.text(max_size=40))
def test_any_text_can_be_looked_up(text: str) -> None:
    """Garbage in a path is an unknown id, never an exception."""
    assert Ids("fca_", 0).decode(text) is None


@pytest.mark.parametrize("other", [Ids("fca_", 2), Ids("cus_", 1)])
def test_families_share_no_ids(other: Ids) -> None:
    """An id of another seed or another kind of object is unknown."""
    assert other.decode(Ids("fca_", 1).encode(5)) is None


@given(index=st.integers(0, 2**28 - 1), number=st.integers(0, 2**24))
def test_a_part_is_never_taken_for_another_account_s(index: int, number: int) -> None:
    """However often an account was refreshed, the ids of its parts lead back to it."""
    account, back = parted(part(index, number))

    assert account == index
    assert back == number or number >= 2**20
