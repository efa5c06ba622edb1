"""Every way in which a blocking client fails shows as little as the asynchronous one does."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

import fcasync
from fcasync import blocking
from fcasync.testing import FakeClock, ScriptedTransport
from tests._leaks import rendered
from tests._server import stall
from tests.blocking._threads import interrupting, later, serving_elsewhere
from tests.test_secrets import ANSWERS, COMPLETE, CONSTRUCTORS, EXTRA, KEY, SECRETS, TWICE, VIEWS

Call = Callable[[blocking.Client], object]
CALLS: dict[str, Call] = {
    "get": lambda c: c.accounts.retrieve("fca_1"),
    "post": lambda c: c.accounts.refresh("fca_1", features=["balance"]),
    "walk": lambda c: list(c.accounts.list()),
    "sync": lambda c: list(c.transactions.sync("fca_1")),
    "raw": lambda c: c.accounts.with_raw_response.retrieve("fca_1"),
    "bulk": lambda c: c.bulk.refresh(iter(["fca_1"]), features=["balance"]).__enter__(),
}


def failing(call: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any that is raised is read
        call()
    return caught.value


@pytest.fixture
def assert_nothing_shows(
    caplog: pytest.LogCaptureFixture,
) -> Callable[[BaseException], None]:
    caplog.set_level(logging.DEBUG)

    def check(error: BaseException) -> None:
        text = rendered(error) + caplog.text
        for secret in SECRETS:
            where = text.find(secret)
            assert where < 0, text[max(0, where - 300) : where + 100]

    return check


@pytest.mark.parametrize("case", CONSTRUCTORS)
def test_a_constructor_that_fails_shows_nothing(
    case: str, assert_nothing_shows: Callable[[BaseException], None]
) -> None:
    """Neither its message nor the frames that it leaves hold a key, a password or a token."""
    assert_nothing_shows(failing(lambda: blocking.Client(**(COMPLETE | CONSTRUCTORS[case]))))


@pytest.mark.parametrize("case", VIEWS)
def test_options_that_are_refused_show_nothing(
    case: str, assert_nothing_shows: Callable[[BaseException], None]
) -> None:
    """A view is as discreet as the client."""
    client = blocking.Client(KEY, extra_headers=EXTRA)
    assert_nothing_shows(failing(lambda: client.with_options(**VIEWS[case])))


@pytest.mark.parametrize("call", ["post", "walk", "bulk"])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_an_error_shows_nothing(
    case: str, call: str, assert_nothing_shows: Callable[[BaseException], None]
) -> None:
    """The frames of the thread that waits are searched as well as those of the loop."""
    with blocking.Client(
        KEY,
        transport=ScriptedTransport([ANSWERS[case]] * 8),
        clock=FakeClock(),
        retry=TWICE,
        deadline=5,
        extra_headers=EXTRA,
    ) as client:
        error = failing(lambda: CALLS[call](client))
    assert_nothing_shows(error)


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_and_a_close_show_nothing(
    call: str, assert_nothing_shows: Callable[[BaseException], None]
) -> None:
    """Ctrl-C in a call, and a call that ends with its client."""
    with (
        serving_elsewhere(interrupting(), stall) as server,
        blocking.Client(KEY, base_url=server.url, extra_headers=EXTRA) as client,
    ):
        assert_nothing_shows(failing(lambda: CALLS[call](client)))
        ended = later(lambda: CALLS[call](client))
        while len(server.requests) < 2:
            client.accounts.list(limit=1)
        client.close()
        error: Any = ended()
        assert isinstance(error, fcasync.APIConnectionError)
        assert_nothing_shows(error)
