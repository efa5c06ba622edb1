"""The guide's code, run as it is."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from fcasync.sandbox import Sandbox
from tests._paths import ROOT
from tests._reader import Reader, missing, run, unpasteable

GUIDE = ROOT / "fcasync" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"(<!-- not run: [^\n]* -->\n)?```(python|sh)\n(.*?)```", re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of *page* that can be run here, in order."""
    found = BLOCK.findall(page.read_text())
    return [code for excuse, kind, code in found if kind == language and not excuse]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_python_block_compiles(page: Path) -> None:
    """Also those that need what is not installed here."""
    for _, kind, code in BLOCK.findall(page.read_text()):
        if kind == "python":
            compile(code, page.name, "exec", flags=0x2000)  # top-level await


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_prompt_takes_every_block(page: Path) -> None:
    """What is not a file can be pasted into `python -m asyncio` as it stands."""
    assert unpasteable(page.read_text()) == []


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that the environment refers to, and an empty working directory."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(accounts=4, varied=False, threaded=True, refresh_cooldown=0.0) as sandbox:
        monkeypatch.setenv("STRIPE_API_KEY", sandbox.api_key)
        monkeypatch.setenv("STRIPE_API_BASE", sandbox.url)
        yield sandbox


def shell(code: str, tmp_path: Path) -> str:
    """Run *code* with the command of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, code + done.stderr
    return done.stdout


async def test_tenants(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page can be followed from the top: the job, the shell, shards, merging, xargs."""
    page = GUIDE / "tenants.md"
    for code in blocks(page, "python"):
        await run(code)
    assert capsys.readouterr().out.count("accepted") >= 12
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    first, shards, together = (
        code.replace("2026-11-24T00:00Z", since) for code in blocks(page, "sh")
    )
    assert "tenants       3" in shell(first, tmp_path)
    assert "job           refresh balance for 3 connected accounts" in shell(shards, tmp_path)
    for file in tmp_path.glob("shard-*"):
        file.unlink()
    shell(together, tmp_path)
    executed = [
        count
        for name in ("acct_1", "acct_2", "acct_3")
        for count in sandbox.connected(name).executions("refresh").values()
    ]
    assert executed == [2] * 12  # by the first job of the page, and by the named one


def written(name: str, folder: Path) -> None:
    """Write the file *name*, which is a block of the page about tenants, and its input."""
    code = next(
        code
        for _, _, code in BLOCK.findall((GUIDE / "tenants.md").read_text())
        if code.startswith(f"# {name}\n")
    )
    (folder / name).write_text(code)
    (folder / "tenants.txt").write_text("acct_1\nacct_2\nacct_3\n")


def test_the_celery_group(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its shards refresh every account of every tenant once."""
    pytest.importorskip("celery", reason="needs Celery: pip install '.[dev-full]'")
    written("jobs.py", tmp_path)
    (tmp_path / "start.py").write_text(
        "import jobs\n"
        "jobs.app.conf.task_always_eager = True\n"
        f"print(len(jobs.nightly('{datetime.now(UTC):%Y-%m-%d}').get()))\n"
    )
    assert shell("python start.py", tmp_path) == "4\n"
    for tenant in ("acct_1", "acct_2", "acct_3"):
        assert list(sandbox.connected(tenant).executions("refresh").values()) == [1] * 4


def test_the_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two workers refresh every account of every tenant once."""
    pytest.importorskip("distributed", reason="needs Dask: pip install '.[dev-full]'")
    written("cluster_job.py", tmp_path)
    assert "12 of 12 accounts" in shell("python cluster_job.py", tmp_path)
    for tenant in ("acct_1", "acct_2", "acct_3"):
        assert list(sandbox.connected(tenant).executions("refresh").values()) == [1] * 4


@contextmanager
def scheduling(folder: Path) -> Iterator[str]:
    """Start a Dask scheduler and a worker that take nothing but TLS; yield its address."""
    authority = trustme.CA()
    mine = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    mine.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in mine.cert_chain_pems))
    options = [
        *("--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"),
        *("--host", "127.0.0.1", "--no-dashboard"),
    ]
    with ExitStack() as stack:

        def start(*words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:], *options],
                cwd=folder,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        scheduler = start("scheduler", "--port", "0", "--protocol", "tls")
        assert scheduler.stderr is not None
        line = next(each for each in scheduler.stderr if "tls://127.0.0.1:" in each)
        address = line.split("Scheduler at:")[-1].strip()
        start("worker", address, "--nthreads", "1", "--no-nanny")
        yield address


def test_the_remote_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    """The command reaches a scheduler by TLS, with the certificates that the page names."""
    pytest.importorskip("distributed", reason="needs Dask: pip install '.[dev-full]'")
    written("cluster_job.py", tmp_path)
    code = next(
        code
        for _, _, code in BLOCK.findall((GUIDE / "tenants.md").read_text())
        if "--cluster=tls://" in code
    )
    install, *lines = code.splitlines()
    assert install == "pip install 'fcasync[cli,cluster]'"
    with scheduling(tmp_path) as address:
        line = "\n".join(lines).replace("tls://scheduler.internal:8786", f"{address} --workers 1")
        assert "12 of 12 accounts" in shell(line, tmp_path)
    for tenant in ("acct_1", "acct_2", "acct_3"):
        assert list(sandbox.connected(tenant).executions("refresh").values()) == [1] * 4


BESPOKE = {"tenants", "mirror"}
"""Pages whose tests look at more than that every block works."""


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in BESPOKE], ids=lambda page: page.stem
)
async def test_a_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    """Every block works as it stands, in order, in an empty directory, beside a sandbox."""
    text = page.read_text()
    if page.stem == "notebook":
        pytest.importorskip("polars", reason="needs polars: pip install '.[dev-full]'")
    if page.stem == "blocking":
        pytest.importorskip("django", reason="needs Django: pip install '.[dev-full]'")
    if absent := missing(text):
        pytest.skip(f"not installed: {', '.join(absent)}: pip install '.[dev-full]'")
    with Sandbox(accounts=12, refresh_cooldown=0.0, settle_seconds=0.1, threaded=True) as sandbox:
        env = {"STRIPE_API_KEY": sandbox.api_key, "STRIPE_API_BASE": sandbox.url}
        # dlt would call home, and keep its state where the next test finds it.
        env |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(tmp_path / "dlt")}
        reader = Reader(tmp_path, env)
        try:
            await reader.follow(text)
        finally:
            await reader.close()
