"""How a client ends that nobody has closed: with the interpreter, or in the collector."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fcasync
from fcasync import blocking
from fcasync.bulk import read_journal
from fcasync.sandbox import Sandbox
from fcasync.testing import ScriptedTransport
from tests._paths import ROOT
from tests._server import stall
from tests.blocking._threads import later, serving_elsewhere

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
LOST = fcasync.APIConnectionError("lost", retryable=False)
BEGIN = """
import atexit, logging, sys, threading
from fcasync import blocking
logging.getLogger("asyncio").setLevel(logging.ERROR)  # -X dev logs callbacks that are slow
client = blocking.Client()
"""


def run(code: str, *args: str, **environment: str) -> tuple[int, str, str]:
    """Run *code* with a client in an interpreter of its own that lets no warning pass."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", BEGIN + code, *args]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return done.returncode, done.stdout, done.stderr


CASES = {
    "a call": "print(len(client.accounts.list().collect()))",
    "a view": "print(len(client.with_options(timeout=9).accounts.list().collect()))",
    "half a walk": "walk = iter(client.accounts.list(limit=1)); next(walk); print(60)",
    "a thread": "client.accounts.list().page(); "
    "threading.Thread(target=lambda: print(len(list(client.accounts.list())))).start()",
    "at exit": "client.accounts.list().page(); "
    "atexit.register(lambda: print(len(list(client.accounts.list()))))",
    "nothing": "print(60)",
}


@pytest.mark.parametrize("code", CASES.values(), ids=CASES.keys())
def test_a_program_may_end_without_close(code: str, sandbox: Sandbox) -> None:
    """It ends at once, in good order and without a word."""
    with Sandbox(threaded=True, accounts=60) as small:
        got = run(code, STRIPE_API_KEY=small.api_key, STRIPE_API_BASE=small.url)
    assert got == (0, "60\n", "")


@pytest.mark.parametrize(
    ("code", "wanted"), [("sys.exit(3)", 3), ("1 / 0", 1), ("raise KeyboardInterrupt", -2)]
)
def test_a_program_that_fails_ends_as_it_would(code: str, wanted: int) -> None:
    """Its own status and its own traceback, and nothing of ours."""
    with Sandbox(threaded=True, accounts=1) as small:
        status, _, said = run(
            f"client.accounts.list().page()\n{code}",
            STRIPE_API_KEY=small.api_key,
            STRIPE_API_BASE=small.url,
        )
    assert status == wanted
    assert "fcasync" not in said


def test_a_daemon_thread_that_waits_does_not_hold_the_exit_up() -> None:
    """The call in flight is cancelled; its thread says nothing."""
    code = """
threading.Thread(target=client.accounts.retrieve, args=["fca_1"], daemon=True).start()
sys.stdin.readline()
print("end")
"""
    with serving_elsewhere(stall) as server:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-X", "dev", "-c", BEGIN + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"STRIPE_API_KEY": KEY, "STRIPE_API_BASE": server.url},
        )
        while not server.requests:
            threading.Event().wait(0.01)
        said = process.communicate("\n", timeout=60)
    assert (process.returncode, *said) == (0, "end\n", "")


def test_a_run_that_is_open_at_the_exit_closes_its_journal(tmp_path: Path) -> None:
    """What was refreshed is on disk, and the next run goes on."""
    journal = tmp_path / "refresh.sqlite"
    code = """
run = client.bulk.refresh(client.accounts.list(), features=["balance"], journal=sys.argv[1])
run.__enter__()
print(next(run).status)
"""
    with Sandbox(threaded=True, accounts=20, varied=False) as small:
        got = run(code, str(journal), STRIPE_API_KEY=small.api_key, STRIPE_API_BASE=small.url)
        assert got == (0, "accepted\n", "")
        with (
            blocking.Client(small.api_key, base_url=small.url) as client,
            client.bulk.refresh(
                client.accounts.list(), features=["balance"], journal=journal
            ) as rest,
        ):
            rest.finish()
        assert set(small.executions("refresh").values()) == {1}
    assert len(list(read_journal(journal))) == 20


def test_a_client_that_is_collected_ends_its_thread_and_warns() -> None:
    """As a file does; the thread ends without being waited for, and no cycle keeps the client."""
    client = blocking.Client(KEY, transport=ScriptedTransport([{"id": "fca_1"}] * 2))
    with pytest.raises(fcasync.ProtocolError):
        client.accounts.retrieve("fca_1")
    (thread,) = [each for each in threading.enumerate() if each.name == "fcasync.blocking"]
    words = "unclosed <blocking Client sk_test_…p7dc at"
    # The error's traceback holds the client until both threads have let go of it.
    with pytest.warns(ResourceWarning, match=words):  # noqa: PT031 - either may be the last
        del client
        thread.join(20)
    assert not thread.is_alive()


def test_what_a_client_made_keeps_it(client: blocking.Client, sandbox: Sandbox) -> None:
    """A list or a resource works on after the variable of its client is gone."""
    accounts = blocking.Client(sandbox.api_key, base_url=sandbox.url).accounts
    items = iter(accounts.list())
    loops = accounts._loops
    del accounts
    gc.collect()
    assert len(list(items)) == 250
    loops.close()


def test_a_closed_client_is_collected_without_a_word() -> None:
    """close() leaves nothing to warn about, and neither does a client that made no call."""
    with (
        blocking.Client(KEY, transport=ScriptedTransport([LOST])) as client,
        pytest.raises(fcasync.APIConnectionError),
    ):
        client.accounts.retrieve("fca_1")
    del client
    blocking.Client(KEY)
    gc.collect()


def test_closing_twice_or_from_many_threads(sandbox: Sandbox) -> None:
    """Whoever comes second finds nothing to close; calls meanwhile end or succeed."""
    client = blocking.Client(sandbox.api_key, base_url=sandbox.url)

    def use() -> list[object]:
        seen: list[object] = []
        for _ in range(20):
            try:
                seen.append(len(client.accounts.list().page()))
            except fcasync.APIConnectionError as error:
                seen.append("closed" in str(error))
        return seen

    def close() -> None:
        for _ in range(20):
            client.close()

    works = [later(use) for _ in range(8)] + [later(close) for _ in range(4)]
    results = [work() for work in works]
    assert {seen for result in results[:8] for seen in result} <= {10, True}
    assert results[8:] == [None] * 4
    client.close()
    assert "fcasync.blocking" not in [thread.name for thread in threading.enumerate()]


def test_a_custom_transport_that_fails_to_close_ends_the_thread_all_the_same() -> None:
    """The error goes to threading.excepthook, as nobody waits for it; close() returns."""

    class Failing(ScriptedTransport):
        async def aclose(self) -> None:
            raise OSError("cannot close")

    raised = []
    before = threading.excepthook
    threading.excepthook = lambda args: raised.append(args.exc_value)
    try:
        client = blocking.Client(KEY, transport=Failing([LOST]))
        with pytest.raises(fcasync.APIConnectionError):
            client.accounts.retrieve("fca_1")
        client.close()
    finally:
        threading.excepthook = before
    assert [str(error) for error in raised] == ["cannot close"]


def test_a_thread_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left open when the system has no thread for us."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = blocking.Client(KEY, transport=ScriptedTransport([]))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        client.accounts.retrieve("fca_1")
    client.close()
