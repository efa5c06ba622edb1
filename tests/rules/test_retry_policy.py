"""The retry policy and the retry quota."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync._rules.retry_policy import RetryPolicy, RetryQuota
from fcasync.errors import InvalidArgumentError
from tests._paths import DATA

VECTORS = DATA / "vectors" / "aws_standard_v2_1.json"


def vectors() -> list[Any]:
    """Return the published single- and multi-invocation cases; none where the file is absent."""
    groups = json.loads(VECTORS.read_text())["groups"]
    return [
        pytest.param(case, id=name)
        for group in groups.values()
        for name, case in group.items()
        if "responses" in case
    ]


class AwsClient:
    """A replay of the published cases: the constants of the AWS SDKs around our two classes."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.policy = RetryPolicy(
            attempts=given.get("max_attempts", 3),
            base=0.05,
            rate_limit_base=1.0,
            cap=given.get("max_backoff_time", 20.0),
        )
        self.quota = RetryQuota(500)
        self.quota.available = given.get("initial_retry_tokens", 500)
        self.attempt = 0
        self.tokens = 1

    def step(self, response: dict[str, Any]) -> dict[str, Any]:
        self.attempt += 1
        status = response["status_code"]
        limited = response.get("error_code") == "Throttling"
        if status == 200:
            self.quota.release(self.tokens)
            return self._end("success")
        if status == 404:
            return self._end("fail_request")
        if self.attempt >= self.policy.attempts:
            return self._end("max_attempts_exceeded")
        tokens = self.quota.acquire(rate_limited=limited)
        if tokens is None:
            return self._end("retry_quota_exceeded")
        self.tokens = tokens
        hint = response.get("headers", {}).get("x-amz-retry-after", "")
        wait = self.policy.wait(
            self.attempt,
            1.0,
            rate_limited=limited,
            retry_after=int(hint) / 1000 if hint.isdigit() else None,
        )
        return {"outcome": "retry_request", "retry_quota": self.quota.available, "delay": wait}

    def _end(self, outcome: str) -> dict[str, Any]:
        self.attempt, self.tokens = 0, 1
        return {"outcome": outcome, "retry_quota": self.quota.available}


@pytest.mark.parametrize("case", vectors())
def test_published_sequences_replay_unchanged(case: dict[str, Any]) -> None:
    """With the AWS SDKs' constants passed in, every published step comes out as published."""
    client = AwsClient(case["given"])
    for step in case["responses"]:
        got = client.step(step["response"])
        # The long-polling cases also publish a delay for their own service; it is not a retry.
        keys = got.keys() & step["expected"].keys()
        assert {key: got[key] for key in keys} == pytest.approx(
            {key: step["expected"][key] for key in keys}
        )


def test_the_quota_is_shared_by_concurrent_calls() -> None:
    """Two interleaved calls draw from one quota, as the published case has it."""
    groups = json.loads(VECTORS.read_text())["groups"]
    (case,) = groups["newStandardRetryMultiThreadedTestCases"].values()
    quota = RetryQuota(500)
    first = [quota.acquire(rate_limited=False), quota.acquire(rate_limited=False)]
    second = quota.acquire(rate_limited=False)
    assert quota.available == 458
    quota.release(second or 0)
    quota.release(first[-1] or 0)
    assert quota.available == case["expected_final_quota"]


def test_an_outage_of_the_quota_costs_what_is_documented() -> None:
    """500 tokens pay for 35 retries at 14 tokens, and the 36th is refused."""
    quota = RetryQuota()
    granted = [quota.acquire(rate_limited=False) for _ in range(40)]
    assert granted == [14] * 35 + [None] * 5
    assert quota.available == 10


@given(st.lists(st.sampled_from(["retry", "limited", "success", "refund"]), max_size=200))
def test_the_quota_stays_within_its_bounds(steps: list[str]) -> None:
    """It is never negative, never above capacity, and a refusal takes nothing."""
    quota = RetryQuota(50)
    for step in steps:
        before = quota.available
        if step in ("retry", "limited"):
            taken = quota.acquire(rate_limited=step == "limited")
            assert quota.available == before - (taken or 0)
        else:
            quota.release(14 if step == "refund" else 1)
        assert 0 <= quota.available <= 50


@given(
    attempt=st.integers(1, 100_000),
    draw=st.floats(0, 1),
    limited=st.booleans(),
    hint=st.none() | st.floats(0, 1e12),
)
def test_a_wait_is_bounded(attempt: int, draw: float, limited: bool, hint: float | None) -> None:
    """A wait is between nothing and the cap plus the slack, whatever the server asks for."""
    policy = RetryPolicy()
    computed = policy.wait(attempt, draw, rate_limited=limited)
    wait = policy.wait(attempt, draw, rate_limited=limited, retry_after=hint)
    assert 0 <= computed <= policy.cap
    assert computed <= wait <= computed + policy.retry_after_slack


def test_the_backoff_doubles_up_to_the_cap() -> None:
    """Base 0.5 s (1 s after a 429), doubled each time, at most 8 s."""
    policy = RetryPolicy()
    waits = [policy.wait(n, 1.0, rate_limited=False) for n in (1, 2, 3, 4, 5, 6, 100_000)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert policy.wait(1, 1.0, rate_limited=True) == 1.0


@pytest.mark.parametrize(
    "bad", [{"attempts": 0}, {"attempts": 2.5}, {"base": -1}, {"cap": float("nan")}]
)
def test_a_policy_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    """Negative waits, zero attempts and NaN are refused when the policy is made."""
    with pytest.raises(InvalidArgumentError, match=next(iter(bad))):
        RetryPolicy(**bad)
