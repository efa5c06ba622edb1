"""Metrics of calls and requests."""

import pytest

import fcasync
from tests.otel._recorder import DOWN, FINE, ROOT, Recorder, client

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from fcasync.otel._names import BOUNDARIES


async def test_durations_count_requests_and_calls(recorder: Recorder) -> None:
    """The standard histogram has one value per request, fcasync's has one per call."""
    await client(recorder.hook(), DOWN, FINE).accounts.retrieve("fca_1")
    requests = recorder.points("http.client.request.duration")
    route = {
        "http.request.method": "GET",
        "url.template": f"{ROOT}/{{account}}",
        "server.address": "api.stripe.com",
        "server.port": 443,
    }
    assert [dict(point.attributes) for point in requests] == [
        route | {"http.response.status_code": 503, "error.type": "503"},
        route | {"http.response.status_code": 200},
    ]
    assert [point.count for point in requests] == [1, 1]
    assert tuple(requests[0].explicit_bounds) == BOUNDARIES
    (call,) = recorder.points("fcasync.call.duration")
    assert (call.count, call.sum) == (1, 0.25)
    assert dict(call.attributes) == {
        "fcasync.operation": "retrieve",
        "http.response.status_code": 200,
    }


async def test_retries_are_counted_by_error(recorder: Recorder) -> None:
    """The counter distinguishes an overloaded server from a broken network."""
    reset = fcasync.APIConnectionError("reset")
    await client(recorder.hook(), DOWN, reset, DOWN, FINE).accounts.retrieve("fca_1")
    counted = {p.attributes["error.type"]: p.value for p in recorder.points("fcasync.retries")}
    assert counted == {"503": 2, "fcasync.errors.APIConnectionError": 1}


async def test_waits_under_the_rate_limit_are_measured(recorder: Recorder) -> None:
    """The wait for a slot has a metric of its own."""
    stripe = client(recorder.hook(), FINE, FINE, limits=fcasync.Limits(max_rate=2.0, burst=1))
    await stripe.accounts.retrieve("fca_1")
    await stripe.accounts.retrieve("fca_1")
    (waited,) = recorder.points("fcasync.limiter.wait")
    assert (waited.count, waited.sum) == (1, 0.5)
    assert dict(waited.attributes) == {"fcasync.operation": "retrieve"}


async def test_hooks_of_one_provider_share_their_instruments(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Two clients, each with a hook of its own, are added up without a complaint of the SDK."""
    for _ in range(2):
        await client(recorder.hook(), FINE).accounts.retrieve("fca_1")
    assert [point.count for point in recorder.points("fcasync.call.duration")] == [2]
    assert caplog.text == ""
