"""``client.bulk`` over the sandbox: the four operations, their arguments, and the bar."""

import asyncio
import builtins
import io
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import Bulk, Tenants, read_journal
from fcasync.bulk._report import Progress
from fcasync.bulk._work import bar
from fcasync.bulk._work.network import fingerprint
from fcasync.client import Client
from fcasync.errors import AuthenticationError, InvalidArgumentError
from fcasync.models import Account
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock
from tests._virtual import Stoppable

KEY = "sk_test_" + "bulk" * 6


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=12, varied=False, settle_seconds=0.01) as server:
        yield server


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        for operation in ("refresh", "subscribe", "unsubscribe", "disconnect"):
            client._engine.limiter.pace(None, operation).learn(500.0)
        yield client


async def test_a_list_is_refreshed(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    """The example of the documentation: list, refresh, wait for the banks, resume for nothing."""
    journal = tmp_path / "refresh.sqlite"
    for _ in range(2):
        source = client.accounts.list()
        async with client.bulk.refresh(
            source, features=["balance"], journal=str(journal), wait=True
        ) as run:
            async for outcome in run:
                assert outcome.status == "succeeded"
        assert run.report.by_status()["succeeded"] == 12
    assert set(sandbox.executions("refresh").values()) == {1}
    assert len(sandbox.executions("refresh")) == len(list(read_journal(journal))) == 12


async def filtered(client: Client) -> AsyncIterator[Account]:
    async for account in client.accounts.list():
        if account.status == "active":
            yield account


async def tenants(client: Client) -> AsyncIterator[tuple[str, Any]]:
    yield "acct_1", [(await client.with_options(stripe_account="acct_1").accounts.list()).data[0]]
    yield "acct_2", client.with_options(stripe_account="acct_2").accounts.list(limit=50)


@pytest.mark.parametrize(
    "source",
    [
        lambda client: client.accounts.list(),
        lambda client: client.accounts.list(prefetch=False),
        filtered,
        lambda client: Tenants(["acct_1", "acct_2"]),
        lambda client: Tenants(tenants(client)),
    ],
    ids=["list", "without prefetch", "filtered", "tenants", "tenants' lists"],
)
@pytest.mark.parametrize("settings", [{}, {"wait": True}], ids=["", "waiting"])
async def test_the_pages_of_the_source_are_reads(source: Any, settings: Any) -> None:
    """``report.reads`` is what the ledger shows, whatever reads the pages for the source."""
    async with (
        Sandbox(accounts=450, varied=False, settle_seconds=0.01) as sandbox,
        Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        for name in (None, "acct_1", "acct_2"):
            client._engine.limiter.pace(name, "refresh").learn(2000.0)

        async def read_otherwise() -> None:
            for _ in range(3):
                await client.accounts.list()

        async with client.bulk.refresh(source(client), features=["balance"], **settings) as run:
            others = asyncio.create_task(read_otherwise())
            report = await run.finish()
            await others
        worlds = [sandbox, sandbox.connected("acct_1"), sandbox.connected("acct_2")]
        gets = sum(row["method"] == "GET" for world in worlds for row in world.ledger)
    assert report.reads == gets - 3


async def test_the_other_operations(sandbox: Sandbox, client: Client) -> None:
    """Subscribing, unsubscribing and disconnecting are jobs like refreshing."""
    ids = [account.id async for account in client.accounts.list()]
    jobs = [
        client.bulk.unsubscribe(ids, features=["transactions"]),
        client.bulk.subscribe(ids, features=["transactions"]),
        client.bulk.disconnect(ids),
    ]
    for job in jobs:
        async with job as run:
            report = await run.finish()
        assert report.by_status()["succeeded"] == 12, report
    assert set(sandbox.executions("disconnect").values()) == {1}
    async with client.bulk.disconnect(client.accounts.list()) as run:
        report = await run.finish()
    assert report.to_dict()["by_reason"] == {"skipped: disconnected": 12}


async def test_a_wrong_key_is_raised_on_entering(sandbox: Sandbox, tmp_path: Path) -> None:
    """Before a journal is made, and before the source is read."""
    sandbox.add_faults({"kind": "status", "status": 401})
    journal = tmp_path / "job.sqlite"
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        job = client.bulk.refresh(["fca_1"], features=["balance"], journal=journal)
        with pytest.raises(AuthenticationError):
            await job.__aenter__()
    assert not journal.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"features": []}, "at least one name"),
        ({"features": "balance"}, "must be a list"),
        ({"concurrency": 0}, "concurrency must be"),
        ({"max_rate": 0}, "max_rate must be"),
        ({"wait_timeout": -1}, "wait_timeout must be"),
        ({"max_age": "12h"}, r"max_age must be a timedelta, such as .*, not '12h'"),
        ({"max_age": 0}, "max_age must be a timedelta"),
        ({"retry_failed": True}, "needs journal=, the file that knows what failed"),
        ({"journal": 5}, "journal must be a path"),
        ({"journal": ""}, "journal must be a path"),
        ({"journal": "a\0b"}, "journal must be a path"),
        ({"source": "fca_1"}, "source must be an iterable"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments: dict[str, Any], words: str) -> None:
    """Nothing is sent, and no file is made, for what cannot work."""
    given = {"source": ["fca_1"], "features": ["balance"], **arguments}
    with pytest.raises(InvalidArgumentError, match=words):
        Client(KEY).bulk.refresh(given.pop("source"), **given)


def test_the_order_of_features_does_not_make_another_job() -> None:
    """The journal and the keys know features as a set."""
    bulk = Client(KEY).bulk
    assert isinstance(bulk, Bulk)
    runs = [
        bulk.refresh([], features=names)
        for names in (["ownership", "balance"], ["balance", "ownership", "balance"])
    ]
    assert {run._settings.features for run in runs} == {("balance", "ownership")}


def test_a_fingerprint_distinguishes_keys_and_reveals_nothing() -> None:
    """It names the mode, and holds no part of the key."""
    test, other, live = (fingerprint(key) for key in (KEY, KEY + "x", KEY.replace("test", "live")))
    assert test.startswith("test ")
    assert live.startswith("live ")
    assert len({test, other, live}) == 3
    assert "bulkbulk" not in test


async def test_a_bar_is_drawn_and_leaves_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """progress=True shows the figures until the run is left."""
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    console = rich.Console(file=out, force_terminal=True, width=120)
    monkeypatch.setattr(bar, "make", lambda: bar.TerminalBar(console))
    job = client.bulk.refresh(client.accounts.list(), features=["balance"], progress=True)
    async with job as run:
        await run.finish()
    assert "12 of 12" in out.getvalue()
    assert "sent 12" in out.getvalue()
    assert run._drawing is not None
    assert run._drawing.done()


class Notebook:
    """Stands for IPython in a kernel: keeps what its cell shows."""

    def __init__(self) -> None:
        self.kernel = self.display = self
        self.shown: list[Any] = []

    def get_ipython(self) -> "Notebook":
        return self

    def __call__(self, output: Any, *, display_id: bool) -> "Notebook":
        assert display_id
        self.shown.append(output)
        return self

    def update(self, output: Any) -> None:
        self.shown[-1] = output


async def test_a_notebook_shows_a_bar_without_widgets(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One output that is updated in place; nothing but IPython itself is needed."""
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    notebook.display.display = notebook  # IPython.display.display
    job = client.bulk.refresh(client.accounts.list(), features=["balance"], progress=True)
    async with job as run:
        await run.finish()
    (output,) = notebook.shown
    assert '<progress value="12" max="12"' in output._repr_html_()
    assert repr(output).startswith("refresh 12 of 12 done")


def test_an_unknown_total_is_not_drawn_as_done() -> None:
    """Neither the browser nor the terminal shows a full bar."""
    progress = Progress(
        done=40,
        failed=0,
        skipped=0,
        requests=40,
        in_flight=1,
        waiting=1,
        settling=0,
        total=None,
        rate=5.0,
        limit=None,
        eta=None,
    )
    assert "<progress style" in bar.html("refresh", progress)
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    with bar.TerminalBar(rich.Console(file=out, force_terminal=True, width=120)) as drawn:
        drawn.show("refresh", progress)
        assert drawn._rich.tasks[0].percentage == 0
    assert "40 of ?" in out.getvalue()


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich a bar cannot be drawn, and the message says what to install."""
    load = builtins.__import__

    def without_rich(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    with pytest.raises(ImportError, match=r"pip install 'fcasync\[cli\]'"):
        Client(KEY).bulk.refresh([], features=["balance"], progress=True)


def test_progress_reads_well() -> None:
    """What the command line prints every ten seconds where there is no terminal."""
    progress = Progress(
        done=480,
        failed=3,
        skipped=5,
        requests=492,
        in_flight=17,
        waiting=40,
        settling=30,
        total=1000,
        rate=24.87,
        limit=25.3,
        eta=20.9,
    )
    assert str(progress) == (
        "480 of 1000 done, 3 failed, 5 skipped, sent 492, waiting for banks 30, "
        "24.9 requests/s, limit about 25/s, 21 s left"
    )


async def test_a_client_that_is_closed_in_mid_run_ends_it(sandbox: Sandbox) -> None:
    """The run does not go on with connections that nobody would close."""
    client = Client(sandbox.api_key, base_url=sandbox.url)
    run = client.bulk.refresh(endless(), features=["balance"], max_rate=50.0)
    with pytest.raises(RuntimeError, match="the client was closed while a bulk run was at work"):
        async with run:
            await anext(run)
            await client.aclose()
            await run.finish()
    assert client._engine.transport.loops == []  # type: ignore[attr-defined]
    async with client:
        other = client.bulk.refresh([], features=["balance"])
        async with other:
            assert (await other.finish()).total == 0


async def endless() -> AsyncIterator[str]:
    number = 0
    while True:
        number += 1
        yield f"fca_nobody{number}"


async def test_an_unknown_option_is_named(client: Client) -> None:
    """A typing mistake does not pass as an option that is left out."""
    with pytest.raises(
        TypeError, match=r"refresh\(\) got an unexpected keyword argument 'max_rat'"
    ):
        client.bulk.refresh([], features=["balance"], max_rat=5.0)  # type: ignore[call-arg]


@pytest.mark.parametrize(("connections", "wanted", "most"), [(3, 256, 3), (100, 4, 4)])
async def test_no_more_requests_are_in_flight_than_there_are_connections(
    connections: int, wanted: int, most: int
) -> None:
    """A request that waited for a connection would use up its own time."""
    async with (
        Sandbox(accounts=12, varied=False, latency=0.05, rate_limit=None) as sandbox,
        Client(sandbox.api_key, base_url=sandbox.url, max_connections=connections) as client,
    ):
        ids = [account.id async for account in client.accounts.list()]
        seen = 0
        async with client.bulk.refresh(ids, features=["balance"], concurrency=wanted) as run:
            async for _ in run:
                seen = max(seen, run.progress.in_flight)
        assert run._settings.concurrency == most
        assert 0 < seen <= most


def test_leaving_the_client_on_one_loop_leaves_runs_on_another_at_work() -> None:
    """Each loop has its own connections, and closes only those."""
    with Sandbox(accounts=20, varied=False, threaded=True, rate_limit=None) as sandbox:
        client = Client(sandbox.api_key, base_url=sandbox.url)
        begun, left = threading.Event(), threading.Event()

        async def briefly() -> None:
            async with client:
                await client.accounts.list()
                assert begun.wait(10)
            left.set()

        async def job() -> int:
            async with client:
                ids = [account.id async for account in client.accounts.list()]
                run = client.bulk.refresh(ids, features=["balance"], concurrency=1)
                async with run:
                    await anext(run)
                    begun.set()
                    await asyncio.to_thread(left.wait, 10)
                    await run.finish()
            return run.report.total

        other = threading.Thread(target=asyncio.run, args=(briefly(),))
        other.start()
        assert asyncio.run(job()) == 20
        other.join()


async def test_awaiting_a_run_is_the_whole_of_it() -> None:
    """One line for those who want the report alone; it cannot be used a second time."""
    async with (
        Sandbox(accounts=4, varied=False) as sandbox,
        Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        run = client.bulk.refresh(client.accounts.list(), features=["balance"])
        report = await run
        assert report.total == 4
        assert set(sandbox.executions("refresh").values()) == {1}
        with pytest.raises(InvalidArgumentError, match="entered once"):
            await run


async def test_thin_events_wake_a_run_that_polls_nothing() -> None:
    """While the clock stands still no poll is due: the events alone end the waits."""
    time = Stoppable()
    async with (
        Sandbox(accounts=5, varied=False, settle_seconds=3600.0) as sandbox,
        Client(sandbox.api_key, base_url=sandbox.url, clock=FakeClock(paced_by=time)) as client,
        asyncio.timeout(30),
    ):
        run = client.bulk.refresh(client.accounts.list(), features=["balance"], wait=True)
        async with run:
            while run.progress.settling < 5:
                await asyncio.sleep(0.01)
            time.stop()
            sandbox.advance(3601)
            news = [run.observe(event) async for event in client.events.list_thin()]
            outcomes = [outcome async for outcome in run]
    assert news == [True] * 10
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 5
