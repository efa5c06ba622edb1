"""In Celery tasks: eager, and in the forked pool of a worker."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fcasync import blocking
from fcasync.sandbox import Sandbox
from tests._paths import ROOT

pytest.importorskip("celery", reason="needs celery")


def test_an_eager_task_makes_a_call(
    client: blocking.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in the caller's process, as in a project's tests."""
    from tests.blocking import _celery

    monkeypatch.setattr(_celery, "client", client)
    account = client.accounts.list().page().data[0]
    assert _celery.refresh.delay(account.id).get() == f"succeeded {os.getpid()}"


@contextmanager
def worker(folder: Path, **environment: str) -> Iterator[Any]:
    """Run a worker with a pool of two processes; yield an app that sends it tasks."""
    for name in ("queue", "control", "results"):
        (folder / name).mkdir()
    environment |= {"CELERY_FOLDER": str(folder)}
    command = [sys.executable, "-m", "celery", "-A", "tests.blocking._celery", "worker"]
    command += ["--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle"]
    command += ["--without-heartbeat", "--loglevel=WARNING"]
    log = (folder / "log").open("w")
    with (
        log,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            yield sender(folder)
        finally:
            process.terminate()
            process.wait(30)


def sender(folder: Path) -> Any:
    from celery import Celery

    app = Celery("sender", broker="filesystem://", backend=f"file://{folder}/results")
    queue = str(folder / "queue")
    app.conf.broker_transport_options = {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": str(folder / "control"),
    }
    return app


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_pool_of_a_worker_makes_calls(tmp_path: Path) -> None:
    """The parent has made a call before it forks; a soft time limit interrupts a call, no more."""
    with (
        Sandbox(threaded=True, accounts=8, varied=False, settle_seconds=0.1) as sandbox,
        Sandbox(
            threaded=True, accounts=1, varied=False, settle_seconds=7200, api_key="sk_test_slow"
        ) as slow,
        blocking.Client(sandbox.api_key, base_url=sandbox.url) as client,
        blocking.Client(slow.api_key, base_url=slow.url) as slow_client,
        worker(
            tmp_path,
            STRIPE_API_KEY=sandbox.api_key,
            STRIPE_API_BASE=sandbox.url,
            SLOW_BASE=slow.url,
        ) as app,
    ):
        hopeless = slow_client.accounts.list().page().data[0].id
        limited = app.send_task("tests.blocking._celery.too_slow", [hopeless])
        ids = [account.id for account in client.accounts.list()]
        tasks = [app.send_task("tests.blocking._celery.refresh", [each]) for each in ids]
        results = [task.get(timeout=60).split() for task in tasks]
        assert {status for status, _ in results} == {"succeeded"}
        assert str(os.getpid()) not in {pid for _, pid in results}
        assert set(sandbox.executions("refresh").values()) == {1}
        assert limited.get(timeout=60) == hopeless
