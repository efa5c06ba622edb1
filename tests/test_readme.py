"""The README's code, run as it is."""

import ast
import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, test_utils, web
from aiohttp.typedefs import Handler

import fcasync
from fcasync.sandbox import Sandbox
from fcasync.testing import make_event, signed_webhook
from tests._paths import ROOT
from tests._reader import run

README = (ROOT / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def block(words: str) -> str:
    """Return the only block that contains *words*."""
    (code,) = [block for block in BLOCKS if words in block]
    return code


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox that the environment refers to, and an empty working directory."""
    monkeypatch.chdir(tmp_path)
    async with Sandbox(accounts=12, varied=False) as sandbox:
        monkeypatch.setenv("STRIPE_API_KEY", sandbox.api_key)
        monkeypatch.setenv("STRIPE_API_BASE", sandbox.url)
        yield sandbox


@pytest.mark.parametrize("code", BLOCKS)
def test_every_block_is_python(code: str) -> None:
    """Code that a reader pastes compiles."""
    compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def test_the_web_service(sandbox: Sandbox) -> None:
    """The application starts, refreshes, responds to invalid requests, and stops."""
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi")
    app = (await run(block("FastAPI")))["app"]
    async with app.router.lifespan_context(app):
        listed = await app.state.stripe.accounts.list(limit=1)
        account = listed.data[0].id
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
            good = await http.post(f"/accounts/{account}/refresh")
            unknown = await http.post("/accounts/fca_nobody/refresh")
            no_id = await http.post("/accounts/a%20b/refresh")
    assert (good.status_code, good.json()) == (200, {"status": "pending"})
    assert (unknown.status_code, no_id.status_code) == (404, 400)


async def test_the_webhooks(capsys: pytest.CaptureFixture[str]) -> None:
    """The handler accepts what the sandbox signed, refuses forgeries, and puts off repeats."""
    secret = "whsec_readme"
    names = await run(block("EventRouter").replace("whsec_...", secret))
    answers: list[int] = []

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        answers.append(response.status)
        return response

    app = web.Application(middlewares=[watch])
    app.router.add_post("/", names["handler"])
    async with test_utils.TestServer(app) as server, ClientSession() as session:
        url = str(server.make_url("/"))
        async with (
            Sandbox(accounts=1, varied=False, webhook_url=url, webhook_secret=secret) as sandbox,
            fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
        ):
            (account,) = (await client.accounts.list()).data
            await client.accounts.refresh_and_wait(account, features=["balance"])
            async with asyncio.timeout(10):
                while not answers:
                    await asyncio.sleep(0.01)
        async with session.post(url, data=b"{}") as forged:
            assert forged.status == 400
        await names["events"].seen.claim("evt_busy")  # as if its first delivery were at work
        kind = "financial_connections.account.refreshed_balance"
        body, headers = signed_webhook(make_event(id="evt_busy", type=kind), secret)
        async with session.post(url, data=body, headers=headers) as repeated:
            assert repeated.status == 409
    assert answers[0] == 200
    assert capsys.readouterr().out.startswith(account.id)


async def test_the_bulk_job(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Every account is refreshed once, even if the block runs twice."""
    for _ in range(2):
        await run(block("date.today()"))
    assert "12" in capsys.readouterr().out
    assert set(sandbox.executions("refresh").values()) == {1}
    assert len(sandbox.executions("refresh")) == 12


async def test_the_tenants(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The accounts of both are refreshed once each."""
    async with fcasync.Client() as client:
        await run(block("Tenants(["), client=client)
    assert capsys.readouterr().out.count("accepted") >= 24
    for tenant in ("acct_1", "acct_2"):
        assert set(sandbox.connected(tenant).executions("refresh").values()) == {1}


async def test_the_notebook() -> None:
    """It runs, and the notebook that the tests execute contains each of its lines."""
    code = block("AsyncExitStack")
    names = await run(code)
    assert sum(names["institutions"].values()) == 120
    await names["stack"].aclose()
    cells = json.loads((ROOT / "tests" / "notebooks" / "explore.ipynb").read_text())["cells"]
    lines = {line for cell in cells for line in "".join(cell["source"]).splitlines()}
    assert set(code.splitlines()) <= lines | {""}


def test_both_commands_include_their_setup() -> None:
    """Each line creates its virtual environment with plain venv and pip."""
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert len(lines) == 2
    assert all(" .venv/bin/pip install " in line for line in lines)


def test_every_error_in_the_readme_exists() -> None:
    """The drawn tree and the examples name real classes."""
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", README))
    assert {name for name in drawn if not hasattr(fcasync, name)} <= {"ValueError"}
