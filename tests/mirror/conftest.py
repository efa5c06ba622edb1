"""The databases that a mirror can be in; PostgreSQL is skipped where no server can be started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mirror import _postgres


@pytest.fixture(scope="session")
def cluster() -> Iterator[_postgres.Cluster]:
    if (reason := _postgres.why_not()) is not None:
        pytest.skip(reason)
    with _postgres.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bank.db'}"
    cluster: _postgres.Cluster = request.getfixturevalue("cluster")
    return cluster.database()
