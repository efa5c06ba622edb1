"""What cannot work is refused in one sentence, before anything is sent."""

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync import __version__, cluster
from fcasync.bulk import Tenants
from fcasync.bulk._journal.header import MANY, Header
from fcasync.bulk._journal.sqlite import FileJournal
from fcasync.cluster import ClusterError, _wire
from fcasync.cluster._dask import Hub
from fcasync.cluster._members import PYTHON, Members
from fcasync.cluster._settings import Place
from fcasync.errors import FCError, InvalidArgumentError, JournalError
from tests.cluster._stripe import KEY

TENANTS = Tenants(["acct_1"])
WELCOME = _wire.Welcome(
    version=__version__,
    python=PYTHON,
    api_key="test 0",
    stripe_version="v",
    time=1,
)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"journal": None}, "needs journal="),
        ({"workers": 0}, "workers must be"),
        ({"scheduler": "nowhere"}, "scheduler must be an address"),
        ({"scheduler": "tcp://10.0.0.1:8786", "api_key": KEY}, "so that the key never travels"),
        ({"scheduler": "tls://10.0.0.1:8786", "api_key": KEY}, "so that the key never travels"),
        ({"lease": 30.0}, "less than 60 s together"),
        ({"client_options": {"timeout": 45.0}}, "less than 60 s together"),
        ({"client_options": {"api_key": KEY}}, "client_options takes"),
        ({"client_options": {"extra_headers": {}}}, "client_options takes"),
        ({"job": "nightly"}, "job= needs since="),
        ({"total_rate": -1}, "positive number"),
    ],
)
def test_arguments_that_cannot_work_are_refused(given: dict[str, Any], sentence: str) -> None:
    """Nothing is started, and the key is not repeated."""
    options = {"features": ["balance"], "journal": "j"} | given
    with pytest.raises(InvalidArgumentError, match=sentence) as caught:
        cluster.refresh(TENANTS, **options)
    assert KEY not in str(caught.value)


def test_only_tenants_are_dealt_to_workers() -> None:
    """One account's limit is reached by one process."""
    with pytest.raises(InvalidArgumentError, match="works on Tenants"):
        cluster.disconnect(["fca_1"], journal="j")  # type: ignore[arg-type]


def test_an_unknown_argument_is_a_mistake() -> None:
    """As with every function of Python."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'wait'"):
        cluster.subscribe(TENANTS, features=["transactions"], journal="j", wait=True)  # type: ignore[call-arg]


async def test_a_scheduler_by_tls_needs_certificates(tmp_path: Path) -> None:
    """The sentence says where they can come from; Dask's own would come behind warnings."""
    run = cluster.refresh(
        TENANTS, features=["balance"], journal=tmp_path / "j", scheduler="tls://127.0.0.1:1"
    )
    with pytest.raises(InvalidArgumentError, match=r"needs certificates: .*TLS__CA_FILE"):
        await run.__aenter__()
    assert list(tmp_path.iterdir()) == []


async def test_a_scheduler_out_of_reach_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is not even made."""
    monkeypatch.setattr("fcasync.cluster._dask.CONNECT", 0.2)
    run = cluster.refresh(
        TENANTS, features=["balance"], journal=tmp_path / "j", scheduler="tcp://127.0.0.1:1"
    )
    with pytest.raises(
        ClusterError, match=r"tcp://127.0.0.1:1 cannot be reached; nothing was sent"
    ):
        async with run:
            pass
    assert list(tmp_path.iterdir()) == []


class FakeHub(Hub):
    """Workers that answer what a test wants."""

    def __init__(self, *answers: _wire.Message) -> None:
        super().__init__(Place())
        self.was_closed = False
        self.answers = {f"tcp://{number}": answer for number, answer in enumerate(answers)}

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        self.was_closed = True

    async def members(self) -> set[str]:
        return set(self.answers)

    async def call(self, address: str, function: Any, data: bytes, seconds: float) -> bytes:
        await asyncio.sleep(0)
        return _wire.encode(self.answers[address])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": "0.0.1"}, "tcp://1 has fcasync 0.0.1, and this is"),
        ({"python": "3.1"}, "tcp://1 has Python 3.1, and this is"),
        ({"api_key": "test 1"}, "tcp://1 has another API key"),
        ({"stripe_version": "w"}, "tcp://1 has Stripe's version w, not v"),
    ],
)
async def test_workers_must_fit(change: dict[str, Any], sentence: str) -> None:
    """Each says who it is before it gets something to do."""
    hub = FakeHub(WELCOME, attrs.evolve(WELCOME, **change))
    with pytest.raises(ClusterError, match=sentence):
        await Members(hub, "refresh", {}).meet(2)


async def test_a_worker_without_a_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable, and the worker."""
    from fcasync.cluster._lane import exchange

    data = await exchange(_wire.encode(_wire.Hello(operation="refresh", client={})))
    with pytest.raises(ClusterError, match=r"tcp://0: .*STRIPE_API_KEY"):
        await Members(FakeHub(_wire.decode(data)), "refresh", {}).meet(1)


async def test_a_cluster_without_workers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds in which they could have come."""
    monkeypatch.setattr("fcasync.cluster._members.ARRIVAL", 0.1)
    with pytest.raises(ClusterError, match="has no workers"):
        await Members(FakeHub(), "refresh", {}).meet(2)


async def test_the_journal_of_another_job_is_refused(tmp_path: Path) -> None:
    """It stays as it was, and the workers are stopped."""
    header = Header(
        operation="refresh",
        features="transactions",
        api_key=WELCOME.api_key,
        stripe_account=MANY,
        stripe_version=WELCOME.stripe_version,
        created=1,
    )
    FileJournal.open(tmp_path / "j", header).close(is_complete=True)
    before = (tmp_path / "j").read_bytes()
    run = cluster.refresh(TENANTS, features=["balance"], journal=tmp_path / "j")
    run._hub = run._members._hub = hub = FakeHub(WELCOME)
    with pytest.raises(JournalError, match="another job"):
        async with run:
            pass
    assert (tmp_path / "j").read_bytes() == before
    assert hub.was_closed


@pytest.mark.parametrize("name", ["dry_run", "max_requests"])
def test_what_one_process_alone_can_do_is_refused(name: str) -> None:
    """A worker knows only what it sends itself."""
    with pytest.raises(InvalidArgumentError, match=f"{name} is for client.bulk"):
        cluster.refresh(TENANTS, features=["balance"], journal="j", **{name: 1})  # type: ignore[arg-type]


def test_errors_of_a_cluster_are_errors_of_fcasync() -> None:
    """One except clause is enough."""
    assert issubclass(ClusterError, FCError)
