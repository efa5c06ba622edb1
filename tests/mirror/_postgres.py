"""A PostgreSQL server of the tests' own: a new cluster in a temporary directory, on a socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

_NUMBERS = count(1)


def binaries() -> Path | None:
    """Return the folder of the server programs; None where there is none."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    places += [Path(found)] if found else []
    return next((place.parent for place in places if (place.parent / "postgres").exists()), None)


def why_not() -> str | None:
    """Return why no server can be started; None if one can."""
    if find_spec("asyncpg") is None:
        return "asyncpg is not installed: pip install 'fcasync[postgres]'"
    if binaries() is None:
        return "there is no PostgreSQL server program: apt-get install postgresql"
    if os.geteuid() == 0 and _user() is None:
        return "PostgreSQL refuses to run as root, and there is no other user to run it as"
    return None


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Cluster:
    """A running server, on a socket in *folder*."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self._identity = identity

    def database(self) -> str:
        """Make a new database and return its URL."""
        name = f"mirror_{next(_NUMBERS)}"
        run("createdb", "-h", str(self.folder), "-U", "postgres", name, **self._identity)
        return f"postgresql://postgres@/{name}?host={self.folder}"


def run(program: str, *arguments: str, **identity: Any) -> None:
    """Run one of PostgreSQL's programs to its end."""
    path = binaries()
    assert path is not None
    subprocess.run(
        [path / program, *arguments], check=True, capture_output=True, cwd="/", **identity
    )


@contextmanager
def running() -> Iterator[Cluster]:
    """Run a server, as another user where the tests run as root."""
    user = _user() if os.geteuid() == 0 else None
    identity: dict[str, Any] = {}
    if user is not None:
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    path = binaries()
    assert path is not None
    # A socket's path has at most 107 characters, which a test's own folder would exceed.
    with tempfile.TemporaryDirectory(prefix="fcpg", dir="/tmp") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", **identity)
        quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        options = ("listen_addresses=", f"unix_socket_directories={folder}", *quick)
        server = subprocess.Popen(
            [path / "postgres", "-D", data, *(f"--{option}" for option in options)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **identity,
        )
        try:
            _wait_for(folder, server)
            yield Cluster(folder, identity)
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    path = binaries()
    assert path is not None
    while server.poll() is None:
        ready = subprocess.run([path / "pg_isready", "-q", "-h", folder], check=False, cwd="/")
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError("the PostgreSQL server has ended before it was ready")
