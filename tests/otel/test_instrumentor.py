"""Tracing that is switched on without code."""

import gc
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import fcasync
from fcasync._wire.everywhere import EVERYWHERE
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, ScriptedTransport
from tests.otel._recorder import DOWN, FINE, KEY, Recorder

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.trace import get_current_span

from fcasync.otel import FcasyncInstrumentor

TREE = [
    ("GET /v1/financial_connections/accounts/{account}", "fcasync retrieve"),
    ("fcasync retrieve", None),
]


@pytest.fixture
def instrumentor() -> Iterator[FcasyncInstrumentor]:
    instrumentor = FcasyncInstrumentor()
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def client(*script: Any, **options: Any) -> fcasync.Client:
    options = {"transport": ScriptedTransport(script), "clock": FakeClock(), **options}
    return fcasync.Client(KEY, **options)


def switch_on(instrumentor: FcasyncInstrumentor, recorder: Recorder, **options: Any) -> None:
    instrumentor.instrument(
        tracer_provider=recorder.tracers, meter_provider=recorder.meters, **options
    )


async def test_clients_are_traced_from_instrument_to_uninstrument(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """Those that exist already, those that are made meanwhile, and views of them."""
    early = client(*[FINE] * 3)
    await early.accounts.retrieve("fca_1")
    assert recorder.spans == []
    switch_on(instrumentor, recorder, skip_dep_check=True, raise_exception_on_conflict=True)
    late = client(*[FINE] * 2)
    await early.accounts.retrieve("fca_1")
    await late.with_options(timeout=5).accounts.retrieve("fca_1")
    assert recorder.tree() == TREE * 2
    instrumentor.uninstrument()
    await early.accounts.retrieve("fca_1")
    await late.accounts.retrieve("fca_1")
    assert recorder.tree() == TREE * 2
    assert not early._engine.reporter.has_hooks
    assert early._engine.reporter.acting is None


async def test_instrumenting_twice_changes_nothing(
    instrumentor: FcasyncInstrumentor, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """One call has one span, whoever instruments how often; each says that it is done already."""
    switch_on(instrumentor, recorder)
    switch_on(FcasyncInstrumentor(), recorder)
    assert FcasyncInstrumentor() is instrumentor
    await client(FINE).accounts.retrieve("fca_1")
    assert recorder.tree() == TREE
    FcasyncInstrumentor().uninstrument()
    instrumentor.uninstrument()
    assert [record.getMessage() for record in caplog.records] == [
        "fcasync is instrumented already",
        "fcasync is not instrumented",
    ]


async def test_a_client_with_a_hook_of_its_own_keeps_it_alone(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """Nothing is recorded twice."""
    own = Recorder()
    switch_on(instrumentor, recorder)
    await client(FINE, hooks=[own.hook()]).accounts.retrieve("fca_1")
    assert (own.tree(), recorder.spans) == (TREE, [])
    own.close()


async def test_two_clients_share_the_hook(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """Their calls do not mix."""
    switch_on(instrumentor, recorder)
    for each in client(DOWN, FINE), client(FINE):
        await each.accounts.retrieve("fca_1")
    attempts = [span.attributes["fcasync.attempts"] for span in recorder.named("fcasync")]  # type: ignore[index]
    assert attempts == [2, 1]


async def test_switching_off_during_a_call_ends_its_spans(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """The call goes on, and what it sends later has no span."""

    class Switching(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            if not self.requests:
                instrumentor.uninstrument()
            return await super().send(request, timeout)

    switch_on(instrumentor, recorder)
    await client(transport=Switching([DOWN, FINE])).accounts.retrieve("fca_1")
    assert sorted(span.name for span in recorder.spans) == sorted(name for name, _ in TREE)


async def test_switching_on_during_a_call_begins_with_what_comes(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """The next request has a span, and the call whose begin nobody saw has none."""

    class Switching(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            if not self.requests:
                switch_on(instrumentor, recorder)
            return await super().send(request, timeout)

    await client(transport=Switching([DOWN, FINE])).accounts.retrieve("fca_1")
    assert [name for name, _ in recorder.tree()] == [TREE[0][0]]
    assert not get_current_span().get_span_context().is_valid


def test_clients_are_forgotten_when_nobody_holds_them(
    instrumentor: FcasyncInstrumentor, recorder: Recorder
) -> None:
    """The register of clients keeps none of them alive."""
    gc.collect()
    before = len(EVERYWHERE._listeners)
    clients = [client() for _ in range(10)]
    assert len(EVERYWHERE._listeners) >= before + len(clients)
    clients.clear()
    gc.collect()
    assert len(EVERYWHERE._listeners) <= before


def test_it_is_an_entry_point_with_the_interface_of_an_instrumentor() -> None:
    """Found by its name, as tools that switch instrumentations off do."""
    (found,) = entry_points(group="opentelemetry_instrumentor", name="fcasync")
    assert found.load() is FcasyncInstrumentor
    assert tuple(FcasyncInstrumentor().instrumentation_dependencies()) == ("fcasync",)
    base = pytest.importorskip(
        "opentelemetry.instrumentation.instrumentor", reason="needs opentelemetry-instrumentation"
    ).BaseInstrumentor
    public = {name for name in dir(base) if not name.startswith("_")}
    assert {name for name in public if not hasattr(FcasyncInstrumentor, name)} == set()


def test_finding_it_imports_no_client() -> None:
    """What switches it on runs before the program: it must not wait for aiohttp."""
    code = (
        "import sys; from fcasync.otel import FcasyncInstrumentor; "
        "FcasyncInstrumentor().instrument(); "
        "print([name for name in ('aiohttp', 'cattrs', 'fcasync.client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


PROGRAM = """
import asyncio, fcasync, sys

async def main():
    async with fcasync.Client(base_url=sys.argv[1]) as client:
        await client.accounts.list()

asyncio.run(main())
"""


async def test_opentelemetry_instrument_switches_it_on() -> None:
    """An unchanged program has its spans, under the command that OpenTelemetry ships."""
    pytest.importorskip("opentelemetry.distro", reason="needs opentelemetry-distro")
    async with Sandbox(3, threaded=True) as sandbox:
        environment = {
            "PATH": os.environ["PATH"],
            "STRIPE_API_KEY": sandbox.api_key,
            "OTEL_TRACES_EXPORTER": "console",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiohttp-client",
        }
        command = Path(sysconfig.get_path("scripts")) / "opentelemetry-instrument"
        done = subprocess.run(
            [command, sys.executable, "-c", PROGRAM, sandbox.url],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"name": "fcasync list"' in done.stdout
    assert '"name": "GET /v1/financial_connections/accounts"' in done.stdout
    assert sandbox.api_key not in done.stdout + done.stderr
