"""Rate limits: buckets, concurrency, and what a refusal leaves behind."""

import pytest

from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.rates import PRESETS, RateLimit, rate_limit
from tests.sandbox.worlds import ACCOUNTS, driver

BALANCE = ("features[]", "balance")


def test_the_total_rate_is_a_bucket_of_one_second() -> None:
    """A second's worth may come at once; the bucket refills at its rate."""
    api = driver(rate_limit=RateLimit(rate=5))

    assert api.statuses(7) == [200] * 5 + [429] * 2
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    api.now += 0.4
    assert api.statuses(3) == [200, 200, 429]
    api.now += 100
    assert api.statuses(7) == [200] * 5 + [429] * 2


def test_each_endpoint_has_its_own_bucket() -> None:
    """One exhausted operation leaves the others alone, and takes nothing from the total."""
    api = driver(rate_limit=RateLimit(rate=5, endpoint=2))

    assert api.statuses(4) == [200, 200, 429, 429]
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert api.statuses(2, api.url(1)) == [200, 200]


def test_held_requests_take_up_concurrency() -> None:
    """Requests that have not been answered count; the limit frees as they are."""
    api = driver(Fault(kind="delay", seconds=2, times=2), rate_limit=RateLimit(concurrency=2))

    assert api.statuses(3) == [200, 200, 429]
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-concurrency"
    api.now += 2
    assert api.statuses(3) == [200, 200, 200]


def test_a_limited_request_has_no_effect_and_keeps_no_result() -> None:
    """429 comes before everything else: the same key works a second later."""
    api = driver(rate_limit=RateLimit(rate=1), varied=False)
    api.get(ACCOUNTS)
    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 429
    api.now += 1

    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 200
    assert "Idempotent-Replayed" not in api.reply.headers


def test_limits_can_be_named() -> None:
    """Stripe's documented limits have names; a number is a total rate."""
    assert rate_limit("live") == PRESETS["live"] == RateLimit(rate=100, endpoint=25)
    assert rate_limit("sandbox") == RateLimit(rate=25, endpoint=25)
    assert rate_limit(7) == RateLimit(rate=7)
    assert rate_limit(None) == RateLimit()
    for wrong in (0, -1, "fast"):
        with pytest.raises(ValueError, match="rate_limit"):
            rate_limit(wrong)
