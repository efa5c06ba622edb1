"""``client.bulk`` over the sandbox: the four operations, their arguments, and the bar."""

import builtins
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import Bulk, read_journal
from fcasync.bulk._report import Progress
from fcasync.bulk._work import bar
from fcasync.bulk._work.network import fingerprint
from fcasync.client import Client
from fcasync.errors import AuthenticationError, InvalidArgumentError
from fcasync.sandbox import Sandbox

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
        ({"features": []}, "at least one feature"),
        ({"features": "balance"}, "must be a list"),
        ({"concurrency": 0}, "concurrency must be"),
        ({"max_rate": 0}, "max_rate must be"),
        ({"wait_timeout": -1}, "wait_timeout must be"),
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


async def test_a_bar_is_drawn_and_leaves_nothing(client: Client) -> None:
    """progress=True shows the figures until the run is left."""
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    console = rich.Console(file=out, force_terminal=True, width=100)
    async with client.bulk.refresh(client.accounts.list(), features=["balance"]) as run:
        run._bar = None
        drawn = bar.make(console)
        with drawn:
            task = drawn.add_task("refresh", total=None, count="", facts="")
            await run.finish()
            bar._update(drawn, task, run.progress)
    assert "refresh" in out.getvalue()
    assert "/s" in out.getvalue()
    async with client.bulk.refresh([], features=["balance"], progress=True) as run:
        await run.finish()
        assert run._drawing is not None
    assert run._drawing.done()


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
