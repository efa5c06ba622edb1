"""Kill a bulk job again and again, against a Stripe that fails, and compare what was done.

    python -m tests.bulk.work.campaign --histories 60 --kills 17 --accounts 200 --seed 1

A history is one job on one server. Its runs are killed (SIGKILL) at random moments; the server
fails, restarts, jumps a day ahead between runs or sets its clock back during them; half of the jobs
wait for the banks, with webhooks that are repeated, late, stale or missing. In the end everything
works, and the same job is finished. Then every account must have been refreshed exactly once, and
handed out to somebody at least once.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from fcasync._rules.retry_policy import RetryPolicy
from fcasync.bulk import Tenants
from fcasync.client import Client
from fcasync.errors import FCError
from fcasync.models import Account, Event, EventData
from fcasync.models._convert import decoder
from tests.bulk.work import _stripe

_account = decoder(Account)
KEY = "sk_test_campaign"
FAILED = 3
"""Exit code of a run that ended in an error of fcasync's, as a broken network must."""
BROKEN = 4
"""Exit code of a run that ended in any other way."""


@attrs.frozen
class Plan:
    """How one history goes."""

    seed: int
    accounts: int
    kills: int
    waits: bool
    faults: float
    clock: str
    """``steady``, ``jumps`` (a day ahead between runs) or ``set back`` (during runs)."""
    tenants: int = 0
    """Connected accounts, of mixed sizes, that have the accounts; 0: the platform's own."""
    loses: bool = False
    """Whether the job has a name, and its journal is lost between runs now and then."""


async def work(url: str, folder: Path, plan: Plan, *, is_last: bool) -> None:
    """Run the job once, and write down every outcome before asking for the next."""
    handed = os.open(folder / "handed", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    retry = RetryPolicy(attempts=3, base=0.02, cap=0.1)
    async with Client(KEY, base_url=url, timeout=0.4, deadline=3.0, retry=retry) as client:
        source = _stripe.shares(plan.accounts, plan.tenants)
        for tenant in source:
            client._engine.limiter.pace(tenant or None, "refresh").learn(400.0)
        name: Any = {"job": "campaign", "since": int((folder / "since").read_text())}
        run = client.bulk.refresh(
            Tenants(source) if plan.tenants else source[""],
            features=["balance"],
            journal=folder / "job.sqlite",
            concurrency=32,
            wait=plan.waits,
            wait_timeout=2.0,
            retry_failed=is_last,
            **(name if plan.loses else {}),
        )
        async with run:
            listening = asyncio.create_task(listen(url, run))
            try:
                async for outcome in run:
                    row = f"{outcome.account_id} {outcome.status} {int(outcome.again)}\n"
                    os.write(handed, row.encode())
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening


async def listen(url: str, run: Any) -> None:
    """Hand webhooks to the run, as they come."""
    port = int(url.rpartition(":")[2])
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /events HTTP/1.1\r\n\r\n")
            while line := await reader.readline():
                told = json.loads(line)
                account = _account(told["account"])
                data = EventData(object=account)
                run.observe(Event(id="evt_1", account=told["tenant"] or None, data=data))
            writer.close()
        await asyncio.sleep(0.05)


def fork(function: Any, errors: Path) -> int:
    """Run *function* in a process of its own; return its id."""
    child = os.fork()
    if child:
        return child
    code = BROKEN
    try:
        function()
        code = 0
    except FCError:
        code = FAILED
    except BaseException:
        with errors.open("a") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(code)


class History:
    """One job, its server, and what became of both."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.shares = _stripe.shares(plan.accounts, plan.tenants)
        self.rng = random.Random(plan.seed)
        self.errors = folder / "errors"
        self.endings: Counter[str] = Counter()
        (folder / "since").write_text(str(int(time.time()) - 1))
        reader, writer = os.pipe()

        def serve() -> None:
            log = str(folder / "executed")
            ready = lambda port: os.write(writer, b"%d\n" % port)  # noqa: E731
            _stripe.run(plan.accounts, plan.seed, log, ready, plan.tenants)

        self.server = fork(serve, self.errors)
        os.close(writer)
        with os.fdopen(reader) as file:
            self.url = f"http://127.0.0.1:{int(file.readline())}"

    def control(self, action: str, **facts: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/control/{action}", data=json.dumps(facts).encode(), method="POST"
        )
        for _ in range(100):
            with suppress(OSError), urllib.request.urlopen(request, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
            time.sleep(0.05)
        raise TimeoutError(f"the server does not answer {action}")

    def start(self, *, is_last: bool = False) -> int:
        def job() -> None:
            asyncio.run(work(self.url, self.folder, self.plan, is_last=is_last))

        return fork(job, self.errors)

    def end(self, child: int, seconds: float) -> str:
        """Wait so long for a run, then kill it; return how it ended."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                code = os.waitstatus_to_exitcode(status)
                return {0: "finished", FAILED: "failed"}.get(code, "broken")
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "killed"

    def run(self) -> list[str]:
        """Go through the history; return what was wrong."""
        try:
            self.suffer()
            self.recover()
            return self.compare()
        finally:
            os.kill(self.server, signal.SIGKILL)
            os.waitpid(self.server, 0)

    def suffer(self) -> None:
        plan, rng = self.plan, self.rng
        self.control(
            "mood",
            faults=plan.faults,
            banks=3.0 if plan.waits else 0.5,
            set_back=0.003 if plan.clock == "set back" else 0.0,
            webhooks=plan.waits,
        )
        runs = 0
        while self.endings["killed"] < plan.kills and runs < 3 * plan.kills:
            runs += 1
            child = self.start()
            if rng.random() < 0.15:
                time.sleep(rng.random() * 0.3)
                self.control("restart", seconds=rng.random() * 0.3)
            self.endings[self.end(child, 0.03 + rng.expovariate(5.0))] += 1
            if plan.clock == "jumps" and rng.random() < 0.15:
                time.sleep(2.0)  # what the killed run has sent must have arrived
                self.control("jump", seconds=rng.choice((23.0, 25.0, 30.0)) * 3600)
            if plan.loses and rng.random() < 0.3:
                self.endings["lost its journal"] += 1
                for file in self.folder.glob("job.sqlite*"):
                    file.unlink()

    def recover(self) -> None:
        self.control("mood", banks=0.2)
        time.sleep(2.0)
        for number in range(6):
            ending = self.end(self.start(is_last=number > 0), 120.0)
            self.endings["last " + ending] += 1
            if ending == "finished" and number:
                return

    def compare(self) -> list[str]:
        executed = Counter((self.folder / "executed").read_text().split())
        rows = [line.split() for line in (self.folder / "handed").read_text().splitlines()]
        ids = [name for names in self.shares.values() for name in names]
        wrong = [f"{name} executed {executed[name]} times" for name in ids if executed[name] != 1]
        handed = {name for name, *_ in rows}
        wrong += [f"{name} never handed out" for name in ids if name not in handed]
        seen: set[tuple[str, str]] = set()
        for name, status, again in rows:
            is_told_again = (name, status) in seen and again == "0" and status == "succeeded"
            if is_told_again and not self.plan.loses:
                wrong.append(f"{name} handed out twice without saying so")
            seen.add((name, status))
        if self.errors.exists():
            wrong.append(self.errors.read_text())
        wrong += [word for word in ("broken", "last broken", "last killed") if self.endings[word]]
        return wrong


def plans(arguments: argparse.Namespace) -> list[Plan]:
    rng = random.Random(arguments.seed)
    return [
        Plan(
            seed=arguments.seed * 1000 + number,
            accounts=arguments.accounts,
            kills=arguments.kills,
            waits=number % 2 == 1,
            faults=rng.choice((0.1, 0.3, 0.6)),
            clock=("steady", "jumps", "steady" if arguments.lose else "set back")[number % 3],
            tenants=arguments.tenants,
            loses=arguments.lose,
        )
        for number in range(arguments.histories)
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=60)
    parser.add_argument("--kills", type=int, default=17, help="in each history")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=0, help="connected accounts")
    parser.add_argument("--lose", action="store_true", help="lose journals between runs")
    arguments = parser.parse_args()
    endings: Counter[str] = Counter()
    violations = 0
    for plan in plans(arguments):
        with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
            history = History(plan, Path(folder))
            wrong = history.run()
        endings += history.endings
        violations += len(wrong)
        sys.stdout.write(f"{plan} {dict(history.endings)} {'WRONG' if wrong else 'right'}\n")
        for line in wrong[:20]:
            sys.stdout.write(f"    {line}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{arguments.histories} histories, {dict(endings)}, {violations} violations\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
