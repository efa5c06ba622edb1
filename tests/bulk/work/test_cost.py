"""What a job costs: fresh accounts are left alone, requests are capped, and reads are counted."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import fcasync
from fcasync.bulk import Tenants
from fcasync.errors import InvalidArgumentError, ServerError
from tests._virtual import EPOCH
from tests.bulk.work._fake import FakeNetwork, ids, work_off


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize(("age", "word"), [(3600.0, "fresh"), (60.0, None)])
def test_what_was_refreshed_recently_is_left_alone(
    at_hand: bool, age: float, word: str | None
) -> None:
    """The account shows it: at hand, or fetched first."""
    network = FakeNetwork(ids(20), refreshed_before=EPOCH - 600)
    source: Any = network.ids
    if at_hand:
        source = network.accounts()
    outcomes, report = work_off(network, source, max_age=age)
    assert {outcome.reason for outcome in outcomes} == {word}
    assert len(network.sends) == (0 if word else 20)
    assert network.gets == (0 if at_hand else 20)
    assert report.reads == network.gets + network.lists


def test_only_a_refresh_that_succeeded_is_fresh() -> None:
    """The old balance is still the old one after a failure."""
    network = FakeNetwork(
        ids(2), refreshed_before=EPOCH - 600, fails_at_bank=frozenset({"fca_000001"})
    )
    outcomes, _ = work_off(network, max_age=3600.0)
    assert {outcome.account_id: outcome.reason for outcome in outcomes} == {
        "fca_000000": "fresh",
        "fca_000001": "balance_refresh_failed",
    }


def test_an_account_that_is_fresh_is_not_called_too_early() -> None:
    """Both are true of one that was refreshed a minute ago, and only one asks for another run."""
    network = FakeNetwork(ids(3), refreshed_before=EPOCH - 60, cooldown=3600.0)
    outcomes, _ = work_off(network, max_age=3600.0)
    assert {outcome.reason for outcome in outcomes} == {"fresh"}
    outcomes, _ = work_off(network, network.accounts())
    assert {outcome.reason for outcome in outcomes} == {"too_early"}


def test_an_account_that_cannot_be_asked_fails_for_certain() -> None:
    """Nothing was sent for it."""
    network = FakeNetwork(ids(1), refreshed_before=EPOCH - 60)
    outcomes, _ = work_off(network, ["fca_nobody", *ids(1)], max_age=3600.0)
    assert sorted(str(outcome.status) for outcome in outcomes) == ["failed", "skipped"]
    assert not network.sends


@pytest.mark.parametrize("journal", [True, False])
def test_no_more_requests_are_sent_than_allowed(tmp_path: Path, journal: bool) -> None:
    """What is not sent stays open, and the next run goes on with it."""
    network = FakeNetwork(ids(100))
    settings: dict[str, Any] = {"journal": tmp_path / "job.sqlite" if journal else None}
    outcomes, report = work_off(network, max_requests=30, **settings)
    assert len(network.sends) == report.requests == len(outcomes) == 30
    assert report.finished_at is None
    assert report.unfinished > 0
    if journal:
        again, report = work_off(network, max_requests=500, **settings)
        assert (len(again), report.succeeded, report.unfinished) == (70, 100, 0)
        assert set(network.executions.values()) == {1}


def test_repeated_requests_count_as_well() -> None:
    """Each may cost money; 429s are counted, too, because nobody knows before."""
    network = FakeNetwork(ids(40), fault=lambda _, attempt: _unavailable(attempt))
    _, report = work_off(network, max_requests=25)
    assert len(network.sends) == report.requests == 25


def _unavailable(attempt: int) -> ServerError | None:
    return ServerError("unavailable", status=503) if attempt == 1 else None


def test_a_job_that_waits_for_banks_waits_for_those_that_it_asked() -> None:
    """The cap is on what is sent, not on what is learned of it."""
    network = FakeNetwork(ids(50), settle_seconds=20.0)
    _, report = work_off(network, max_requests=10, wait=True)
    assert (report.succeeded, report.requests) == (10, 10)


def test_a_cap_that_is_just_enough_finishes_the_job() -> None:
    """The last request is not one too many."""
    _, report = work_off(FakeNetwork(ids(20)), max_requests=20)
    assert report.finished_at is not None


def test_a_cap_holds_for_all_tenants_together() -> None:
    """It is about money."""
    own = FakeNetwork([])
    for name in ("acct_1", "acct_2"):
        own.tenants[name] = FakeNetwork(ids(30), clock=own.clock, reads=own.reads)
    _, report = work_off(own, Tenants(["acct_1", "acct_2"]), max_requests=25)
    assert sum(len(tenant.sends) for tenant in own.tenants.values()) == report.requests == 25


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(tmp_path: Path) -> None:
    """Accounts at hand are judged; the journal is not touched."""
    network = FakeNetwork(ids(10), status={"fca_000003": "inactive"})
    path = tmp_path / "job.sqlite"
    outcomes, report = work_off(network, network.accounts(), dry_run=True, journal=path, wait=True)
    assert report.by_status()["skipped"] == 10
    assert sorted(str(outcome.reason) for outcome in outcomes) == [*["dry_run"] * 9, "inactive"]
    assert not network.sends
    assert not network.gets
    assert not path.exists()


@pytest.mark.parametrize(
    "wrong", [{"max_requests": 0}, {"max_requests": 1.5}, {"max_age": -1}, {"max_age": "12h"}]
)
def test_what_cannot_be_a_cap_is_refused(fc_client: fcasync.Client, wrong: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgumentError, match="max_"):
        fc_client.bulk.refresh([], features=["balance"], **wrong)


async def test_an_age_may_be_a_timedelta(fc_client: fcasync.Client) -> None:
    """Seconds and timedeltas mean the same, over real connections as well."""
    async with fc_client.bulk.refresh(
        fc_client.accounts.list(), features=["balance"], max_age=timedelta(days=36_500)
    ) as run:
        report = await run.finish()
    assert report.counts.get(("skipped", "fresh"), 0) > 0
    assert report.reads == 2  # the time, and the page of the source
