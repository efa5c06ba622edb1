"""Spans and gauges of bulk jobs and of syncs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import attrs
import pytest

import fcasync
from fcasync.hooks import Figures, HookEvent, Run
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, ids
from tests.otel._recorder import Recorder, attributes

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.trace import SpanKind, StatusCode, get_current_span


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(30, varied=False) as sandbox:
        yield sandbox


def client(sandbox: Sandbox, *hooks: Any, **options: Any) -> fcasync.Client:
    settings: dict[str, Any] = {"base_url": sandbox.url, "clock": FakeClock(), **options}
    return fcasync.Client(sandbox.api_key, hooks=hooks, **settings)


async def ids_of(stripe: fcasync.Client) -> list[str]:
    return [account.id async for account in stripe.accounts.list()]


def gauge(recorder: Recorder, name: str) -> dict[str, float]:
    """Return the values of a gauge by operation."""
    points = recorder.points(f"fcasync.run.{name}")
    return {point.attributes["fcasync.operation"]: point.value for point in points}


async def test_a_bulk_job_is_one_span(recorder: Recorder, sandbox: Sandbox) -> None:
    """Whatever it sends, with its figures at the end, below the span of its caller."""
    tracer = recorder.tracers.get_tracer("test")
    async with client(sandbox) as plain, client(sandbox, recorder.hook()) as stripe:
        accounts = await ids_of(plain)
        with tracer.start_as_current_span("nightly"):
            async with stripe.bulk.refresh(stripe.accounts.list(), features=["balance"]) as run:
                await run.finish()
    assert recorder.tree() == [("fcasync bulk refresh", "nightly"), ("nightly", None)]
    span = recorder.one("fcasync bulk")
    assert (span.kind, span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    assert attributes(span) == {
        "fcasync.run.kind": "bulk",
        "fcasync.operation": "refresh",
        "fcasync.run.done": len(accounts),
        "fcasync.run.failed": 0,
        "fcasync.run.waiting": 0,
        "fcasync.run.settling": 0,
        "fcasync.run.in_flight": 0,
        "fcasync.run.requests": len(accounts),
        "fcasync.run.reads": run.report.reads,
    }
    assert sum(p.count for p in recorder.points("http.client.request.duration")) > len(accounts)


async def test_spans_in_runs_can_be_switched_on(recorder: Recorder, sandbox: Sandbox) -> None:
    """Each request is below the run then: directly, or below its call."""
    async with (
        client(sandbox, recorder.hook(spans_in_runs=True)) as stripe,
        stripe.bulk.refresh(stripe.accounts.list(), features=["balance"]) as run,
    ):
        await run.finish()
    run_span = recorder.one("fcasync bulk")
    posts = recorder.named("POST")
    assert len(posts) == 30
    assert all(span.parent == run_span.context for span in posts)
    assert all(span.parent == run_span.context for span in recorder.named("fcasync list"))


async def test_what_the_caller_does_meanwhile_is_the_callers(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """Calls in the block of a run have their spans, below the caller's span."""
    tracer = recorder.tracers.get_tracer("test")
    async with client(sandbox, recorder.hook()) as stripe:
        with tracer.start_as_current_span("caller") as outer:
            async with stripe.bulk.refresh(stripe.accounts.list(), features=["balance"]) as run:
                assert get_current_span() is outer
                async for outcome in run:
                    await stripe.accounts.retrieve(outcome.account_id)
                    break
            assert get_current_span() is outer
    assert ("fcasync retrieve", "caller") in recorder.tree()
    assert ("fcasync bulk refresh", "caller") in recorder.tree()
    assert recorder.named("POST") == []


async def test_a_run_that_fails_says_so(recorder: Recorder, sandbox: Sandbox) -> None:
    """Its own failure, an error of the block, and one of its start are errors of the span."""
    async with client(sandbox, recorder.hook()) as stripe:

        async def broken() -> AsyncIterator[str]:
            yield "fca_1"
            raise LookupError("the source is broken")

        with pytest.raises(LookupError):
            async with stripe.bulk.refresh(broken(), features=["balance"]) as run:
                await run.finish()
        with pytest.raises(KeyError):
            async with stripe.bulk.refresh(["fca_1"], features=["balance"]):
                raise KeyError
        sandbox.add_faults({"kind": "status", "status": 401})
        with pytest.raises(fcasync.AuthenticationError):
            async with stripe.bulk.subscribe(["fca_1"], features=["transactions"]):
                pass
    spans = recorder.named("fcasync bulk")
    assert [attributes(span)["error.type"] for span in spans] == [
        "builtins.LookupError",
        "builtins.KeyError",
        "401",
    ]
    assert {span.status.status_code for span in spans} == {StatusCode.ERROR}
    assert {span.status.description for span in spans} == {None}


async def test_a_run_that_is_cancelled_ends_its_span(recorder: Recorder, sandbox: Sandbox) -> None:
    """Also while it begins."""
    hook = recorder.hook()
    async with client(sandbox, hook) as stripe:
        entered = asyncio.Event()

        async def work() -> None:
            async with stripe.bulk.refresh(stripe.accounts.list(), features=["balance"]):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        await asyncio.wait([task])
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    errors = {attributes(span)["error.type"] for span in recorder.named("fcasync bulk")}
    assert errors == {"asyncio.exceptions.CancelledError"}
    assert hook._run_spans == {}
    assert not get_current_span().get_span_context().is_valid


async def test_gauges_follow_a_run(recorder: Recorder, sandbox: Sandbox) -> None:
    """They show it while it is at work, and its last figures until the next one."""
    async with client(sandbox, recorder.hook()) as stripe:
        assert gauge(recorder, "done") == {}
        async with stripe.bulk.refresh(stripe.accounts.list(), features=["balance"]) as run:
            seen = []
            async for _ in run:
                seen.append(gauge(recorder, "done")["refresh"])
                assert gauge(recorder, "requests")["refresh"] == run.progress.requests
        assert seen == sorted(seen)
        assert gauge(recorder, "done") == {"refresh": 30}
        assert gauge(recorder, "reads") == {"refresh": run.report.reads}
        assert gauge(recorder, "in_flight") == {"refresh": 0}
        assert gauge(recorder, "limit") == {}
        async with stripe.bulk.refresh([], features=["balance"]) as run:
            await run.finish()
        assert gauge(recorder, "done") == {"refresh": 0}


def test_a_gauge_shows_each_figure(recorder: Recorder) -> None:
    """Also the limit, once it is known, and those who wait for their banks."""
    figures = Figures(
        done=1, failed=2, waiting=3, settling=4, in_flight=5, requests=6, reads=7, limit=8.5
    )
    run = Run(kind="bulk", operation="refresh", figures=lambda: figures)
    copy_context().run(recorder.hook().run_started, run)
    for name, value in attrs.asdict(figures).items():
        assert gauge(recorder, name) == {"refresh": value}


def test_figures_are_those_of_the_run() -> None:
    """With banks that take their time and a limit that is learnt, each is seen to move."""
    network = FakeNetwork(ids(400), rate=lambda now: 50.0, burst=5.0, settle_seconds=10.0)
    seen: list[Figures] = []

    async def main() -> None:
        async with network.run(wait=True) as run:
            async for _ in run:
                seen.append(run._figures())

    virtually(main())
    assert max(figures.settling for figures in seen) > 100
    assert 30 < (seen[-1].limit or 0) < 60
    assert seen[-1].done == 400
    assert seen[-1].reads == network.reads.count > 1
    assert seen[-1].requests >= 400


async def test_runs_at_a_time_are_added_up(recorder: Recorder, sandbox: Sandbox) -> None:
    """Those of one operation, of any number of clients and hooks of one provider."""
    async with (
        client(sandbox, recorder.hook()) as first,
        client(sandbox, recorder.hook()) as second,
    ):
        accounts = await ids_of(first)
        async with (
            first.bulk.refresh(accounts[:10], features=["balance"]) as one,
            second.bulk.refresh(accounts[10:15], features=["balance"]) as two,
            first.bulk.subscribe(accounts[15:18], features=["transactions"]) as other,
        ):
            for run in (one, two, other):
                await run.finish()
            assert gauge(recorder, "done") == {"refresh": 15, "subscribe": 3}
    assert len(recorder.named("fcasync bulk")) == 3


async def test_a_sync_is_one_span_above_its_refreshes(
    recorder: Recorder, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The job that refreshes first has its own below it."""
    mirror_module = pytest.importorskip("fcasync.mirror", reason="needs fcasync[mirror]")
    async with (
        client(sandbox, recorder.hook()) as stripe,
        client(sandbox) as plain,
        mirror_module.Mirror(f"sqlite:///{tmp_path / 'bank.db'}") as mirror,
    ):
        accounts = await ids_of(plain)
        report = await mirror.sync(stripe, accounts[:5], refresh=["balance"])
    assert recorder.tree() == [
        ("fcasync bulk refresh", "fcasync mirror sync"),
        ("fcasync mirror sync", None),
    ]
    found = attributes(recorder.one("fcasync mirror"))
    assert (found["fcasync.run.done"], found["fcasync.run.requests"]) == (report.synced, 5)
    assert found["fcasync.run.reads"] >= 5
    assert gauge(recorder, "done")["sync"] == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later Pythons warn of threads in a fork")
async def test_a_child_does_not_report_its_parents_runs(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """Two processes would count one run twice."""
    async with (
        client(sandbox, recorder.hook()) as stripe,
        stripe.bulk.refresh(["fca_1"], features=["balance"]) as run,
    ):
        await run.finish()
        assert gauge(recorder, "done") == {"refresh": 1}
        child = os.fork()
        if child == 0:
            os._exit(0 if gauge(recorder, "done") == {} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert gauge(recorder, "done") == {"refresh": 1}


class Listening:
    """A hook that hears of runs."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Run, BaseException | None]] = []

    def __call__(self, event: HookEvent, /) -> None: ...

    def run_started(self, run: Run, /) -> None:
        self.heard.append(("started", run, None))

    def run_finished(self, run: Run, error: BaseException | None, /) -> None:
        self.heard.append(("finished", run, error))


async def test_any_hook_may_hear_of_runs(sandbox: Sandbox) -> None:
    """Once at the beginning and once at the end, with figures that can be asked for any time."""
    hook = Listening()
    async with (
        client(sandbox, hook) as stripe,
        stripe.bulk.disconnect((await ids_of(stripe))[:3]) as run,
    ):
        await run.finish()
    (_, begun, _), (_, ended, error) = hook.heard
    assert (begun is ended, begun.kind, begun.operation, error) == (
        *(True, "bulk", "disconnect"),
        None,
    )
    assert begun.figures() == Figures(
        done=3,
        failed=0,
        waiting=0,
        settling=0,
        in_flight=0,
        requests=3,
        reads=run.report.reads,
        limit=None,
    )


async def test_a_failing_hook_does_not_stop_a_run(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is logged, and the others hear of the run."""

    class Failing(Listening):
        def run_started(self, run: Run, /) -> None:
            raise RuntimeError("the hook is broken")

        def run_finished(self, run: Run, error: BaseException | None, /) -> None:
            raise RuntimeError("the hook is broken")

    hook = Listening()
    async with (
        client(sandbox, Failing(), hook) as stripe,
        stripe.bulk.disconnect((await ids_of(stripe))[:1]) as run,
    ):
        await run.finish()
    assert [what for what, _, _ in hook.heard] == ["started", "finished"]
    assert "failed on run_started" in caplog.text
    assert "failed on run_finished" in caplog.text
