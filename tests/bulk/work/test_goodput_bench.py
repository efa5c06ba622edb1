import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from benchmarks.goodput import chart, measure, peers
from benchmarks.goodput.measure import Ledger, Result, Row
from benchmarks.goodput.peers import Job, Tally
from benchmarks.goodput.schedule import BURST, FULL, QUICK, Phase, Schedule
from benchmarks.goodput.server import Changing
from fcasync.sandbox import Sandbox
from fcasync.sandbox._api.error_bodies import ApiError

SHORT = Schedule("short", (Phase("fast", 2.0, 10.0), Phase("slow", 2.0, 5.0)), goal=3)


def rows() -> Iterator[Row]:
    """Four accounts, of which the second is refused once, and one after the end."""
    yield 0.0, None, 200
    yield 0.1, "fca_1", 200
    yield 0.2, "fca_2", 429
    yield 0.9, "fca_2", 200
    yield 2.5, "fca_3", 200
    yield 2.6, "fca_3", 200
    yield 4.5, "fca_4", 200


@pytest.fixture
def score() -> measure.Score:
    looks = [(0.1, True), (0.2, False), (3.9, False), (3.95, False), (4.1, True)]
    return measure.score("somebody", Ledger(list(rows()), looks), 7, SHORT)


def admitted(bucket: Changing, times: list[float]) -> int:
    count = 0
    for now in times:
        with suppress(ApiError):
            bucket.admit("refresh", now)
            count += 1
    return count


def test_the_limit_is_that_of_the_phase() -> None:
    """A phase includes its first instant; the last one never ends."""
    assert [SHORT.rate_at(at) for at in (0.0, 1.9, 2.0, 99.0)] == [10.0, 10.0, 5.0, 5.0]


@pytest.mark.parametrize("schedule", [FULL, QUICK])
def test_the_schedules_let_the_limit_drop(schedule: Schedule) -> None:
    """Each schedule has a change for the worse, and a goal that the limit allows."""
    assert any(later.rate < first.rate for first, later in pairwise(schedule.phases))
    assert schedule.goal <= schedule.capacity


def test_the_bucket_forgives_a_burst_and_no_more() -> None:
    """Of a flood in one instant as many pass as the bucket holds."""
    assert admitted(Changing(SHORT), [50.0] * 100) == BURST


def test_the_bucket_follows_the_schedule() -> None:
    """Time begins with the first request, whatever the clock says then."""
    times = [50.0 + n / 1000 for n in range(4000)]
    assert admitted(Changing(SHORT), times) == pytest.approx(BURST + SHORT.capacity, abs=1)


def test_an_account_counts_once_and_before_the_end(score: measure.Score) -> None:
    """A second success is waste, and what comes after the schedule does not count."""
    assert score.accounts == 3
    assert score.goodput == pytest.approx(3 / 30)
    assert score.by_phase == pytest.approx({"fast": 2 / 20, "slow": 1 / 10})


def test_waste_is_counted_over_all_requests(score: measure.Score) -> None:
    """Requests that are about no account are paid for, too."""
    assert score.requests == 6
    assert score.per_account == 2.0
    assert score.refused == pytest.approx(1 / 6)
    assert score.given_up == 7


def test_others_are_refused_while_the_bucket_is_empty(score: measure.Score) -> None:
    """The share is that of the looks before the schedule ended."""
    assert score.others_refused == 0.25


def test_a_look_at_the_bucket_takes_nothing() -> None:
    """Looks begin with the first request, and see how the bucket fills up again."""
    bucket = Changing(SHORT)
    bucket.look(49.0)
    assert admitted(bucket, [50.0] * 100) == BURST
    for now in (50.0, 50.05, 50.2):
        bucket.look(now)
    assert [is_empty for _, is_empty in bucket.looks] == [True, True, False]
    assert admitted(bucket, [50.2] * 100) == 2


def test_the_goal_is_reached_with_the_last_account_it_takes(score: measure.Score) -> None:
    """The time is that of the request that made it."""
    assert score.until_goal == 2.5
    assert measure.score("somebody", Ledger(list(rows())[:4], []), 0, SHORT).until_goal is None


def test_bins_hold_every_account_and_every_429(score: measure.Score) -> None:
    """The chart leaves nothing out."""
    assert score.done == [1, 1, 0, 0, 0, 1, 0, 0]
    assert sum(score.limited) == 1


def test_a_competitor_without_an_answer_gets_a_score() -> None:
    """Somebody who never gets through does not stop the others."""
    score = measure.score("nobody", Ledger([], []), 0, SHORT)
    assert (score.accounts, score.per_account, score.refused) == (0, 0.0, 0.0)


def test_the_chart_is_an_svg_that_names_everybody(score: measure.Score) -> None:
    """The picture can be read as XML, and escapes what it is given."""
    other = score._replace(label="you & me")
    picture = chart.draw(Result(SHORT, {"fcasync": score, "other": other}, []))
    texts = [node.text for node in ET.fromstring(picture).iter() if node.text]
    assert {"somebody", "you & me"} < set(texts)


@pytest.mark.parametrize("name", peers.PEERS)
def test_each_competitor_refreshes_every_account(name: str) -> None:
    """At a limit that nobody meets, no account is given up, and none is asked for twice."""
    if name.startswith("stripe"):
        pytest.importorskip("stripe")

    async def compete() -> tuple[Tally, list[int]]:
        async with Sandbox(20, varied=False) as sandbox:
            ids = [sandbox.world.store.seed.account_ids.encode(index) for index in range(20)]
            endless = Schedule("", (Phase("", 60.0, 1000.0),), goal=1)
            job = Job(sandbox.url, sandbox.api_key, ids[:5], endless)
            tally = await peers.run(peers.PEERS[name], job)
            return tally, list(sandbox.executions("refresh").values())

    tally, executions = asyncio.run(compete())
    assert (tally.done, tally.given_up) == (5, 0)
    assert executions == [1] * 5


def test_the_hand_written_backoff_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last of its retries an account is left behind."""
    monkeypatch.setattr(peers, "FIRST_WAIT", 0.0)
    asked: list[str] = []

    async def refuse(account: str) -> bool:
        asked.append(account)
        return False

    async def give_up() -> bool:
        return await peers._backing_off(refuse)("fca_1")

    assert asyncio.run(give_up()) is False
    assert len(asked) == 1 + peers.RETRIES
