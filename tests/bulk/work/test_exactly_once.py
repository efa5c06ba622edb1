"""What a run does when the server, its clock or the network misbehaves."""

from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import read_journal
from fcasync.errors import (
    APIConnectionError,
    FCError,
    NotFoundError,
    ServerError,
)
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

LOST = APIConnectionError("reset", may_have_executed=True)
STORED = ServerError("oops", status=500, idempotent_replayed=True)


def executing(network: FakeNetwork, error: FCError) -> Any:
    """Return a fault that carries the first request of each account out and answers *error*."""
    done: set[str] = set()

    def fault(account_id: str, attempt: int) -> FCError | None:
        if account_id in done:
            return error if error is STORED else None
        done.add(account_id)
        network.executions[account_id] = network.executions.get(account_id, 0) + 1
        network.refreshed_at[account_id] = network.clock.time()
        return error

    return fault


def test_a_refused_look_leaves_the_outcome_uncertain(tmp_path: Path) -> None:
    """A stored 500 whose account cannot be fetched may have run: no new key is sent for it."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(20), pace=fast())
    network.fault = executing(network, STORED)
    retrieve = network.retrieve

    async def refuse(account_id: str) -> Any:
        raise NotFoundError("no such account", status=404)

    network.retrieve = refuse  # type: ignore[method-assign]
    _, report = work_off(network, journal=path)
    assert report.failed == 20
    network.retrieve = retrieve  # type: ignore[method-assign]
    network.fault = lambda *_: None
    network.clock.shift(30 * 3600)  # all keys are forgotten
    _, report = work_off(network, journal=path, retry_failed=True)
    assert report.succeeded == 20
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_clock_that_is_set_back_in_a_run_repeats_nothing() -> None:
    """Lost answers, then a server whose clock goes two hours back: still one refresh each."""
    network = FakeNetwork(ids(300), pace=fast())
    fault = executing(network, LOST)

    def set_back(account_id: str, attempt: int) -> FCError | None:
        if network.ids.index(account_id) == 150 and attempt == 1:
            network.clock.shift(-7200)
        # From there on all keys are gone, so that everything has to be looked at.
        network.keys.clear()
        return fault(account_id, attempt) or (STORED if attempt == 2 else None)

    network.fault = set_back
    _, report = work_off(network)
    assert (report.total, report.failed) == (300, 0)
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_an_outage_ends_the_run_and_blames_no_account(tmp_path: Path) -> None:
    """A long time of nothing but 503 pauses the job, as a dead network does."""
    path = tmp_path / "job.sqlite"
    unavailable = ServerError("unavailable", status=503)
    network = FakeNetwork(ids(2000), pace=fast(), fault=lambda *_: unavailable)
    with pytest.raises(ServerError, match="unavailable"):
        work_off(network, journal=path, concurrency=64)
    assert list(read_journal(path)) == []
    network.fault = lambda *_: None
    _, report = work_off(network, journal=path)
    assert report.succeeded == 2000
    assert network.executions == dict.fromkeys(network.ids, 1)
