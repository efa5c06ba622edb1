"""Progress: what is shown is what happens."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.task import Row
from fcasync.bulk._report import Progress
from fcasync.bulk._work.tally import Tally
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, ids, work_off
from tests.bulk.work.test_outcomes import stopped_world


def progress(tally: Tally, now: float, **facts: float | None) -> Progress:
    known = {"limit": None, "ceiling": None, "total": None, "settling": 0, **facts}
    return tally.progress(now, **known)  # type: ignore[arg-type]


def sample(network: FakeNetwork, seconds: float, **settings: object) -> list[Progress]:
    """Run to the end, and look at the progress every quarter of a second on the way."""

    async def main() -> list[Progress]:
        found = []
        async with network.run(**settings) as run:
            finishing = asyncio.create_task(run.finish())
            for _ in range(int(seconds * 4)):
                await asyncio.sleep(0.25)
                found.append(run.progress)
            await finishing
            found.append(run.progress)
        return found

    return virtually(main())


def test_the_rate_is_that_of_the_last_two_seconds() -> None:
    """Requests, and not outcomes: skipped accounts do not count."""
    tally = Tally(Counter(), 0.0)
    for number in range(100):
        tally.send(10.0 + number / 50, is_retry=False)
    skipped = Outcome(account_id="fca_1", status=OutcomeStatus.SKIPPED)
    for _ in range(50):
        tally.arrive()
        tally.look_up(is_new=True)
        tally.finish(skipped)
    assert progress(tally, 12.0).rate == 49.5
    assert progress(tally, 14.1).rate == 0.0
    assert progress(tally, 14.1).skipped == 50


def test_the_rate_rises_while_the_true_one_does() -> None:
    """During slow start no figure falls while more and more is sent."""
    seen = sample(FakeNetwork(ids(400)), 4.0)
    rates = [now.rate for now in seen if now.requests < 300]
    assert len(rates) > 8
    assert all(later >= earlier for earlier, later in pairwise(rates[4:]))


def test_resuming_never_shrinks_or_goes_backwards(tmp_path: Path) -> None:
    """Deferred accounts that are taken up again were never shown as done."""
    path = tmp_path / "job.sqlite"
    network = stopped_world()
    work_off(network, journal=path)
    network.clock.shift(2000)
    seen = sample(network, 5.0, journal=path)
    done = [now.done for now in seen]
    assert done == sorted(done)
    assert done[-1] == 30
    assert min(now.rate for now in seen) >= 0.0


@given(
    deferred=st.integers(0, 20),
    succeeded=st.integers(0, 20),
    named=st.integers(0, 20),
)
def test_done_only_grows(deferred: int, succeeded: int, named: int) -> None:
    """Whatever a run takes up again, and whether or not its source still names it."""
    found = Counter({("deferred", "too_early"): deferred, ("succeeded", None): succeeded})
    tally = Tally(found, 0.0, frozenset({"deferred"}))
    done = [tally.done]
    for _ in range(min(named, deferred)):
        tally.reopen(Row("fca_1", "deferred", 0, 0, reason="too_early"))
        done.append(tally.done)
        tally.finish(Outcome(account_id="fca_1", status=OutcomeStatus.SUCCEEDED))
        done.append(tally.done)
    tally.end_of_source()
    done.append(tally.done)
    assert done == sorted(done)
    assert done[-1] == deferred + succeeded


def test_the_end_is_foreseen_only_from_a_known_rate() -> None:
    """Neither a ramp nor a few skipped accounts are extrapolated."""
    tally = Tally(Counter(), 0.0)
    for _ in range(100):
        tally.arrive()
        tally.look_up(is_new=True)
    tally.send(1.0, is_retry=False)
    assert progress(tally, 1.0, total=1000).eta is None
    assert progress(tally, 1.0, total=1000, limit=25.0).eta == 40.0
    assert progress(tally, 1.0, total=1000, limit=25.0, ceiling=10.0).eta == 100.0
    assert progress(tally, 1.0, total=1000, limit=25.0, settling=500).eta == 20.0
    assert progress(tally, 1.0, limit=25.0).eta is None


def test_an_unknown_total_looks_unknown() -> None:
    """No number stands where none is known."""
    tally = Tally(Counter(), 0.0)
    tally.arrive()
    tally.look_up(is_new=True)
    assert str(progress(tally, 1.0)) == "0 of ? done, 0 failed, sent 0, 0.0 requests/s"
