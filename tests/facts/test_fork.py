"""What a forked child inherits from threads that it does not have."""

import gc
import os
import threading
from collections.abc import Callable

import pytest

from fcasync._facts.collector import without_collections
from fcasync._rules.limiter import Limiter
from fcasync._rules.retry_policy import RetryQuota
from fcasync.testing import ScriptedTransport
from tests._calls import engine
from tests._fork import status_of_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def elsewhere(work: Callable[[Callable[[], None]], object]) -> Callable[[], None]:
    """Run *work* in a thread up to the pause that it calls; return what ends that pause."""
    reached, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        reached.set()
        go_on.wait()

    thread = threading.Thread(target=work, args=[pause])
    thread.start()
    reached.wait()

    def resume() -> None:
        go_on.set()
        thread.join()

    return resume


def test_a_child_does_not_inherit_a_locked_lock() -> None:
    """Threads of the parent take tokens and paces at this moment; the child can do so, too."""
    quota, limiter, is_over = RetryQuota(), Limiter(), threading.Event()

    def keep_busy() -> None:
        while not is_over.is_set():
            quota.acquire(rate_limited=False)
            quota.release(14)
            limiter.pace(None, "retrieve").operation.rate.refused(0.0, 0.0)

    threads = [threading.Thread(target=keep_busy) for _ in range(4)]
    for thread in threads:
        thread.start()

    def child() -> bool:
        quota.acquire(rate_limited=False)
        quota.release(14)
        limiter.pace("acct_1", "refresh").operation.rate.refused(0.0, 0.0)
        return True

    try:
        statuses = [status_of_child(child) for _ in range(50)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 50


def test_a_child_collects_garbage() -> None:
    """The parent parses a large response in another thread, and the collector rests meanwhile."""
    resume = elsewhere(without_collections)
    try:
        assert not gc.isenabled()
        assert status_of_child(gc.isenabled) == 0
    finally:
        resume()
    assert gc.isenabled()


def test_a_program_that_collects_nothing_forks_children_that_collect_nothing() -> None:
    """Whoever turned the collector off finds it off in the child."""
    gc.disable()
    try:
        assert status_of_child(lambda: not gc.isenabled()) == 0
    finally:
        gc.enable()


def test_a_child_has_nothing_in_flight() -> None:
    """The requests in flight of the parent take no room from its child."""
    parent = engine(ScriptedTransport([]))
    pace = parent.limiter.pace(None, "refresh")
    pace.reserve(0.0)
    pace.operation.in_flight.bound = pace.tenant.in_flight.bound = 1
    assert not pace.has_room
    assert status_of_child(lambda: pace.has_room) == 0
    assert not pace.has_room
