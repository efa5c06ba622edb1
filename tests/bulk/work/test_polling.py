"""What goes wrong while a run waits for the banks."""

import attrs
import pytest

from fcasync._rules.request import Response
from fcasync.errors import (
    APIConnectionError,
    AuthenticationError,
    FCError,
    PermissionDeniedError,
    ServerError,
)
from fcasync.models import Account, Page
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

LOST = APIConnectionError("reset")
BROKEN = ServerError("oops", status=500)
REVOKED = AuthenticationError("expired key", status=401)
DENIED = PermissionDeniedError("not yours", status=403)


@attrs.define(slots=False)
class Unsteady(FakeNetwork):
    """A network on which reads fail, though writes do not."""

    failures: list[FCError] = attrs.field(factory=list)
    """What the next reads end in."""
    fails: str = "lists"
    """Which reads: ``lists`` or ``gets``."""

    async def list_page(self, starting_after: str | None, limit: int) -> Response[Page[Account]]:
        if limit > 1:  # a run begins by asking for the server's time
            self.fail("lists")
        return await super().list_page(starting_after, limit)

    async def retrieve(self, account_id: str) -> Response[Account]:
        self.fail("gets")
        return await super().retrieve(account_id)

    def fail(self, kind: str) -> None:
        if kind == self.fails and self.failures:
            raise self.failures.pop(0)


def unsteady(accounts: int, fails: str, *failures: FCError) -> Unsteady:
    return Unsteady(
        ids(accounts), pace=fast(), settle_seconds=30.0, fails=fails, failures=list(failures)
    )


@pytest.mark.parametrize("fails", ["lists", "gets"])
@pytest.mark.parametrize("error", [LOST, BROKEN], ids=["lost", "500"])
def test_a_poll_that_fails_is_made_again_later(fails: str, error: FCError) -> None:
    """It says nothing about the accounts: all of them settle, and none was refreshed again."""
    network = unsteady(400, fails, *[error] * 5)
    outcomes, report = work_off(network, wait=True)
    assert network.failures == []
    assert report.by_status()["succeeded"] == 400
    assert len(outcomes) == 400
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_accounts_that_a_failed_page_did_not_show_are_asked_for_one_by_one() -> None:
    """A walk that breaks off leaves nobody unpolled for a round."""
    network = unsteady(400, "lists", *[LOST] * 1000)
    assert work_off(network, wait=True)[1].by_status()["succeeded"] == 400
    assert network.lists == 1  # the one that asks for the server's time
    assert network.gets >= 400


@pytest.mark.parametrize("fails", ["lists", "gets"])
@pytest.mark.parametrize("error", [REVOKED, DENIED], ids=["401", "403"])
def test_a_key_that_is_revoked_while_waiting_ends_the_run(fails: str, error: FCError) -> None:
    """Nobody would ever settle: the error is raised, and not counted against any account."""
    network = unsteady(400, fails, error)
    with pytest.raises(type(error)) as caught:
        work_off(network, wait=True)
    assert caught.value is error
