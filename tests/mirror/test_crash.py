"""A few kills; ``python -m tests.mirror.campaign`` has many."""

from tests.mirror.campaign import play


async def test_a_mirror_that_is_killed_equals_the_list_in_the_end(url: str) -> None:
    """In PostgreSQL two processes sync the same accounts; no cursor moves back."""
    at_once = 1 if url.startswith("sqlite") else 2
    figures = await play(url, at_once=at_once, kills=3, accounts=60, rows=120, seed=7)
    assert (figures["missing or wrong"], figures["cursors moved back"]) == (0, 0)
    assert set(figures["exit codes"]) == {0}
