"""Both ways in which the transport may send."""

import pytest

from fcasync._wire import exchange


@pytest.fixture(params=["lean", "documented"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test by the lean exchange, and by aiohttp's documented interface."""
    way: str = request.param
    if way == "documented":
        monkeypatch.setattr(exchange, "is_possible", lambda: False)
    return way
