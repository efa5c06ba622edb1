"""The machine and the versions with which a benchmark ran."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fcasync

PACKAGES = (
    "aiohttp",
    "attrs",
    "cattrs",
    "httpx",
    "msgspec",
    "multidict",
    "orjson",
    "stripe",
    "tenacity",
    "uvloop",
    "yarl",
)


def describe() -> dict[str, object]:
    """Return the date, the processor and the versions of all compared packages."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {"fcasync": fcasync.__version__, **_versions()},
    }


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _cpu() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return names[0] if names else platform.processor()
