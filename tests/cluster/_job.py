"""A job on a cluster, as tests start, break and repeat it.

    python -m tests.cluster._job URL FOLDER TENANTS EACH [SCHEDULER]

It appends every outcome to a file before it asks for the next, so that what a killed process was
given is known.
"""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fcasync import cluster
from fcasync.bulk import Tenants
from fcasync.errors import FCError
from tests.cluster._stripe import KEY, accounts, tenant

BROKEN = 3
"""Exit code of a run that ended in an error of fcasync's."""


def tenants(count: int, each: int) -> Tenants:
    """Return tenants, of which every fourth is to be listed."""
    return Tenants(
        [tenant(n) if n % 4 == 3 else (tenant(n), accounts(n, each)) for n in range(count)]
    )


def make(url: str, journal: Path, source: Tenants, **options: Any) -> cluster.ClusterRun:
    """Return a run on two workers, with a short lease, so that tests need not wait."""
    client_options = {"base_url": url, "timeout": 0.7, "deadline": 5.0}
    given: dict[str, Any] = {"features": ["balance"], "lease": 4.0, "workers": 2}
    if "scheduler" not in options:
        given["api_key"] = KEY
    given |= {"client_options": client_options, "journal": journal} | options
    return cluster.refresh(source, **given)


def handed_out(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return how often each account was handed out for the first time, and again."""
    first, again = Counter[str](), Counter[str]()
    if (handed := folder / "handed").exists():
        for line in handed.read_text().splitlines():
            account_id, is_again = line.split()
            (again if is_again == "True" else first)[account_id] += 1
    return first, again


def security(folder: Path) -> Any:
    """Return what both sides need to believe each other, from certificates in *folder*."""
    from distributed import Security

    files = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    roles = {f"tls_client_{kind}": path for kind, path in files.items()}
    security: Any = Security
    return security(tls_ca_file=str(folder / "ca.pem"), require_encryption=True, **roles)


def max_rate() -> float | None:
    """Return the rate of each tenant: slow enough to be broken, unless the environment says so."""
    text = os.environ.get("MAX_RATE", "25")
    return float(text) if text else None


async def main(url: str, folder: str, count: str, each: str, *scheduler: str) -> None:
    place: dict[str, Any] = {"scheduler": scheduler[0]} if scheduler else {}
    if scheduler and scheduler[0].startswith("tls:"):
        place["security"] = security(Path(folder))
    handed = os.open(Path(folder) / "handed", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    source = tenants(int(count), int(each))
    run = make(url, Path(folder) / "job.sqlite", source, max_rate=max_rate(), **place)
    async with run:
        async for outcome in run:
            os.write(handed, f"{outcome.account_id} {outcome.again}\n".encode())
    sys.stdout.write(f"{run.report}\n")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except FCError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(BROKEN)
