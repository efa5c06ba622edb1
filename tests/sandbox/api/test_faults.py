"""Which faults strike, how a script describes them, and what they do to a request."""

import copy
import pickle
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from fcasync.sandbox._api.faults import KINDS, NO_FAULT, Fault, Wire, fault
from fcasync.sandbox._api.messages import Answer
from tests.sandbox.worlds import driver

BALANCE = ("features[]", "balance")


def test_a_fault_strikes_as_often_as_it_may() -> None:
    """`times` counts strikes at the named operation only."""
    api = driver(Fault(operation="retrieve", kind="status", status=503, times=2))

    assert api.statuses(2) == [200, 200]
    assert api.statuses(4, api.url(1)) == [503, 503, 200, 200]
    assert api.world.faults.in_force == []


def test_the_first_matching_fault_strikes() -> None:
    """Faults are tried in order; one request suffers from one."""
    api = driver(Fault(kind="status", status=500, times=1), Fault(kind="status", status=502))

    assert api.statuses(3) == [500, 502, 502]


def test_a_probable_fault_strikes_its_share() -> None:
    """Chance is fair, and follows from the seed."""
    api = driver(Fault(kind="status", probability=0.3), seed=1)

    assert 250 < api.statuses(1000).count(500) < 350


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_executed_5xx_has_its_effect(status: int) -> None:
    """The answer lies: the refresh has started, and the ledger knows."""
    api = driver(Fault(kind="status", status=status, executed=True, times=1), varied=False)
    assert api.send("POST", api.url(1, "refresh"), [BALANCE])[0] == status
    row = api.world.ledger.rows[-1]

    assert (row["executed"], row["status"], row["fault"]) == (True, status, "status")
    assert api.get(api.url(1))["balance_refresh"]["status"] == "pending"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "kind"),
        ([], "object"),
        ({"kind": "flood"}, "flood"),
        ({"kind": "status", "status": 200}, "200"),
        ({"kind": "status", "status": 0}, "400"),
        ({"kind": "status", "status": "500"}, "type"),
        ({"kind": "status", "status": True}, "type"),
        ({"kind": "redirect", "status": 200}, "200"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "delay", "probability": 2}, "probability"),
        ({"kind": "delay", "times": 0}, "times"),
        ({"kind": "delay", "operation": "pay"}, "pay"),
        ({"kind": "delay", "colour": "red"}, "colour"),
        ({"kind": "reset_before", "executed": True}, "reset_after"),
        ({"kind": "status", "headers": {"A\r\nB": "x"}}, "header"),
        ({"kind": "status", "headers": {"A": 1}}, "strings"),
    ],
)
def test_a_fault_that_means_nothing_is_refused(data: Any, message: str) -> None:
    """A mistyped script fails when it is read, and says what is wrong."""
    with pytest.raises(ValueError, match=message):
        fault(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_the_same_however_it_is_made(kind: str) -> None:
    """Copied, pickled, read from JSON: its kind decides its class, and it prints as a Fault."""
    made = Fault(kind=kind, operation="list", times=2)

    assert type(made) is KINDS[kind]
    assert made == fault({"kind": kind, "operation": "list", "times": 2})
    assert made == pickle.loads(pickle.dumps(made)) == copy.deepcopy(made)
    assert repr(made).startswith(f"Fault(operation='list', kind='{kind}'")


def test_a_status_fault_can_carry_headers() -> None:
    """Retry-After and Stripe-Should-Retry can be rehearsed."""
    api = driver(fault({"kind": "status", "status": 429, "headers": {"Retry-After": "2"}}))
    api.statuses(1)

    assert api.reply.headers["Retry-After"] == "2"
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


@attrs.define
class Tape(Wire):
    """A wire that notes what is done to it."""

    notes: list[tuple[Any, ...]] = attrs.Factory(list)

    @property
    def host(self) -> str:
        return "sandbox"

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, content_type: str = "json"
    ) -> None:
        self.notes.append(("answer", status, body))

    async def begin(self, answer: Answer) -> None:
        self.notes.append(("begin", answer.status, len(answer.body)))

    async def write(self, data: bytes) -> None:
        self.notes.append(("write", data))

    async def sleep(self, seconds: float) -> None:
        self.notes.append(("sleep", seconds))

    def close(self) -> None:
        self.notes.append(("close",))

    def reset(self) -> None:
        self.notes.append(("reset",))


@pytest.mark.parametrize(
    ("fault", "latency", "notes"),
    [
        (NO_FAULT, 0.0, [("answer", 200, b"{}")]),
        (NO_FAULT, 0.5, [("sleep", 0.5), ("answer", 200, b"{}")]),
        (Fault(kind="reset_after"), 0.5, [("sleep", 0.5), ("reset",)]),
        (Fault(kind="truncate"), 0.0, [("begin", 200, 2), ("write", b"{"), ("close",)]),
        (Fault(kind="delay", seconds=3), 0.5, [("sleep", 3.5), ("answer", 200, b"{}")]),
        (Fault(kind="delay", seconds=3, executed=False), 0.0, [("sleep", 3), ("reset",)]),
        (
            Fault(kind="drip", seconds=3),
            1.0,
            [("begin", 200, 2), ("write", b"{"), ("sleep", 2), ("write", b"}"), ("sleep", 2)],
        ),
        (Fault(kind="redirect", status=302), 0.0, [("answer", 302, b"")]),
    ],
)
async def test_a_fault_decides_how_the_answer_leaves(
    fault: Fault, latency: float, notes: list[Any]
) -> None:
    """Waits, bytes and cuts come in this order; latency adds to what the fault holds."""
    tape = Tape()
    await fault.send(tape, Answer(200, b"{}"), latency + fault.hold)

    assert tape.notes == notes
