"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses
from hypothesis import HealthCheck, settings

# A machine that is busy with other work is slow, which is not a fault of what is tested.
settings.register_profile("fcasync", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fcasync")


# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Each process that a test starts would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


class _Response(aiohttp.ClientResponse):
    """aiohttp 3.14 requires a `stream_writer` that aioresponses 0.7.9 does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock())
        super().__init__(*args, **kwargs)


class WireMock(aioresponses):
    """aioresponses, adapted to current aiohttp."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("response_class", _Response)
        super().add(*args, **kwargs)


def _note_if_skipped(report: pytest.CollectReport | pytest.TestReport) -> None:
    """Write down what is skipped, if asked to, for a run for which more packages are installed."""
    directory = os.environ.get("FCASYNC_SKIPPED")
    if directory is not None and report.skipped:
        with Path(directory, f"{os.getpid()}.txt").open("a") as file:
            file.write(f"{report.nodeid}\n")


pytest_collectreport = pytest_runtest_logreport = _note_if_skipped


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: a test waits for processes and sockets half of its time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def wire() -> Iterator[WireMock]:
    """Intercept aiohttp: single calls, no sockets."""
    mock = WireMock()
    with mock:
        yield mock


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key or base URL never reaches a test."""
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)
    monkeypatch.delenv("STRIPE_API_BASE", raising=False)
