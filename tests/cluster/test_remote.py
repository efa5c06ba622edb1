"""What a lane has in the place of a disk, and how long it may send."""

import asyncio

import pytest

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync.bulk._plan.task import OVER, Row, Task
from fcasync.cluster import _wire
from fcasync.cluster._remote import Lease, LeaseExpiredError, RemoteCommit
from fcasync.testing import FakeClock


def test_a_lease_runs_from_the_answer_before() -> None:
    """An exchange may have waited in a socket while this process was stopped."""
    clock = FakeClock()
    lease = Lease(20.0, clock)
    lease.answers()
    clock.advance(15.0)
    lease.heard()
    lease.check()
    clock.advance(4.9)
    lease.check()
    clock.advance(0.2)
    with pytest.raises(LeaseExpiredError):
        lease.check()


def test_exchanges_keep_a_lease_alive() -> None:
    """Each proves that the driver had the answer before it."""
    clock = FakeClock()
    lease = Lease(20.0, clock)
    for _ in range(100):
        lease.answers()
        clock.advance(10.0)
        lease.heard()
        lease.check()


def test_an_old_exchange_does_not_renew_a_lease() -> None:
    """A process that was stopped for an hour finds one in its socket, and sends nothing."""
    clock = FakeClock()
    lease = Lease(20.0, clock)
    lease.answers()
    clock.advance(3600.0)
    lease.heard()
    assert lease.is_over


async def test_nothing_is_called_back_before_the_driver_has_acknowledged() -> None:
    """What is sent to Stripe is on the driver's disk by then."""
    record, known = RemoteCommit(), list[object]()
    for number in range(3):
        record.admit(Task(f"fca_{number}", 1, stripe_account="acct_1"), known.append)
    record.store(Task("fca_3", 1), lambda: known.append("stored"))
    assert [write[:2] for write in record.take()] == [[1, True], [2, True], [3, True], [4, False]]
    assert known == []
    row = Row("fca_1", "open", 2, 7, stripe_account="acct_1")
    record.acknowledge(4, None)
    record.acknowledge(1, None)
    record.acknowledge(2, _cells(row))
    record.acknowledge(3, _wire.OVER)
    assert known == ["stored", None, row, OVER]
    assert record.take() == []
    await asyncio.sleep(0)


def _cells(row: Row) -> object:
    answer = _wire.Answer(writes=[[1, True, _wire.row_to_cells(row)]])
    received = _wire.decode(_wire.encode(answer))
    assert isinstance(received, _wire.Answer)
    return received.writes[0][2]
