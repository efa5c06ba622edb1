"""The helpers that `fcasync.testing` offers to users' tests."""

import random
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from attrs import fields_dict

import fcasync
from fcasync import testing, webhooks
from fcasync._rules.request import Request
from fcasync.testing import FakeClock, InstantTransport, ScriptedTransport, answer
from fcasync.testing._fakes import Step

SECRET = "whsec_of_a_test"
FACTORIES = {
    fcasync.Account: testing.make_account,
    fcasync.AccountOwner: testing.make_owner,
    fcasync.AccountOwnership: testing.make_ownership,
    fcasync.Authorization: testing.make_authorization,
    fcasync.Event: testing.make_event,
    fcasync.Session: testing.make_session,
    fcasync.Transaction: testing.make_transaction,
}


@pytest.mark.parametrize(("model", "make"), FACTORIES.items(), ids=lambda item: item.__name__)
def test_a_factory_makes_a_complete_object(model: Any, make: Any) -> None:
    """Its type is right, it has no unknown field, and it equals the next one."""
    made = make()
    assert type(made) is model
    assert made.extra == {}
    assert made == make()


def test_an_account_has_every_field() -> None:
    """Only `status_details`, which announces the end of an account, is None."""
    made = testing.make_account()
    empty = [name for name in fields_dict(fcasync.Account) if getattr(made, name) is None]
    assert empty == ["_extra", "status_details"]


def test_fields_are_set_as_models_or_as_json() -> None:
    """Both forms of the same values make equal objects."""
    instant = datetime(2026, 1, 2, tzinfo=UTC)
    refresh = fcasync.BalanceRefresh(status="failed", last_attempted_at=instant)
    typed = testing.make_account(id="fca_2", created=instant, balance_refresh=refresh)
    plain = testing.make_account(
        id="fca_2",
        created=int(instant.timestamp()),
        balance_refresh={"status": "failed", "last_attempted_at": int(instant.timestamp())},
    )
    assert typed == plain
    assert (typed.id, typed.created, typed.balance_refresh) == ("fca_2", instant, refresh)


def test_a_field_may_be_null() -> None:
    """None removes a value that a factory sets."""
    assert testing.make_account(balance=None).balance is None


def test_a_misspelt_field_is_refused() -> None:
    """Only `extra` sets fields that the model does not know."""
    with pytest.raises(TypeError, match=r"no field 'blance'; pass extra=\{'blance': \.\.\.\}"):
        testing.make_account(blance=None)
    assert testing.make_account(extra={"new": 1}).extra == {"new": 1}


def test_a_value_that_does_not_fit_is_refused() -> None:
    """A factory makes only objects that Stripe could send."""
    with pytest.raises(fcasync.ProtocolError, match="created"):
        testing.make_account(created="yesterday")


def test_an_event_holds_its_object() -> None:
    """The type and the object of an event are its two arguments."""
    account = testing.make_account(id="fca_7", status="disconnected")
    event = testing.make_event(fcasync.EventType.ACCOUNT_DISCONNECTED, account, id="evt_7")
    assert (event.id, event.type) == ("evt_7", fcasync.EventType.ACCOUNT_DISCONNECTED)
    assert event.data.object == account
    assert testing.make_event().data.object == testing.make_account()


@pytest.mark.parametrize("kind", fcasync.EventType)
def test_every_type_of_event_can_be_made(kind: fcasync.EventType) -> None:
    """Without an object argument, an event gets an object that fits its type."""
    about = ".authorization." if ".authorization." in kind else ".account."
    event = testing.make_event(kind)
    assert event.type is kind
    subject: Any = event.data.object
    assert subject.object == f"financial_connections{about[:-1]}"


def test_a_signed_webhook_is_accepted() -> None:
    """construct_event accepts the body and the headers."""
    clock, event = FakeClock(), testing.make_event()
    body, headers = testing.signed_webhook(event, SECRET, int(clock.time()))
    read = webhooks.construct_event(body, headers["Stripe-Signature"], SECRET, clock=clock)
    assert read == event


def test_an_answer_may_hold_a_model() -> None:
    """Models become Stripe's JSON, with any status and headers."""
    made = answer(testing.make_account(id="fca_3"), status=202, headers={"Request-Id": "req_3"})
    assert (made.status, made.headers["request-id"]) == (202, "req_3")
    assert orjson.loads(made.body)["id"] == "fca_3"


async def test_a_script_may_consist_of_models() -> None:
    """A page is the response to a list, an account the response to a retrieve."""
    accounts = [testing.make_account(id=f"fca_{number}") for number in range(3)]
    transport = ScriptedTransport([testing.make_page(accounts), accounts[1]])
    client = fcasync.Client("sk_test_1", transport=transport)
    assert await client.accounts.list().collect() == accounts
    assert await client.accounts.retrieve("fca_1") == accounts[1]


async def test_a_request_after_the_script_fails_the_test() -> None:
    """An unexpected request is not a network error, which a client would retry."""
    client = fcasync.Client("sk_test_1", transport=ScriptedTransport())
    with pytest.raises(AssertionError, match="no step for retrieve"):
        await client.accounts.retrieve("fca_1")


async def test_a_fake_clock_passes_without_waiting() -> None:
    """Sleeps are recorded, and both of its times advance."""
    clock = FakeClock(start=100.0, draw=0.25)
    await clock.sleep(3.0)
    clock.advance(2.0)
    assert (clock.time(), clock.monotonic(), clock.sleeps) == (105.0, 5.0, [3.0])
    assert clock.draw() == 0.25


def test_a_shifted_clock_shows_another_time_of_day_only() -> None:
    """The monotonic clock stays: no timeout expires while a machine is suspended."""
    clock = FakeClock(start=100.0)
    clock.advance(2.0)
    clock.shift(-50.0)
    assert (clock.time(), clock.monotonic()) == (52.0, 2.0)


async def test_a_paced_clock_shares_the_time_of_another_one() -> None:
    """Its sleeps are real and let no time pass; moving the other clock moves it as well."""
    clock = FakeClock(start=100.0)
    paced = FakeClock(start=100.0, paced_by=clock.monotonic)
    await paced.sleep(0.0)
    clock.advance(5.0)
    paced.advance(1.0)
    assert (paced.time(), paced.monotonic(), paced.sleeps) == (106.0, 6.0, [0.0])
    assert clock.time() == 105.0


def test_draws_may_come_from_a_function() -> None:
    """A seeded generator makes jitter that differs from draw to draw and can be repeated."""
    first, second = (FakeClock(draw=random.Random(7).random) for _ in range(2))
    assert [first.draw(), first.draw()] == [second.draw(), second.draw()]
    assert first.draw() != first.draw()


async def test_an_instant_transport_answers_by_a_function() -> None:
    """The function sees the request; what it returns is the response, or is raised."""

    def respond(request: Request[Any]) -> Step:
        if request.operation.method == "POST":
            return fcasync.APIConnectionError("reset")
        return testing.make_account(id="fca_3")

    transport = InstantTransport(respond)
    retry = fcasync.RetryPolicy(attempts=1)
    client = fcasync.Client("sk_test_1", transport=transport, clock=FakeClock(), retry=retry)
    assert await client.accounts.retrieve("fca_3") == testing.make_account(id="fca_3")
    with pytest.raises(fcasync.APIConnectionError, match="reset"):
        await client.accounts.disconnect("fca_3")
    assert transport.sent == 2
