"""A sandbox's worlds on disk: one JSON file that only its owner can read, never a pickle.

It holds what differs from the seed, and no API key: a digest of the key names its world.
"""

import json
import math
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import attrs

from fcasync.sandbox._api.faults import FaultBook, fault
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.events import Emit, Happened
from fcasync.sandbox._bank.rare import Rare
from fcasync.sandbox._bank.seed import Facts
from fcasync.sandbox._bank.states import AccountState, Refresh
from fcasync.sandbox._bank.store import Session, Store
from fcasync.sandbox._bank.words import FEATURES

FORMAT = 2
_EVENTS = 1000
"""The most events that are saved of a world."""
_READABLE = {1, 2}
# Format 1 has these fields under other names.
_RENAMED = {"dice": "seed", "good": "last_success", "good_at": "last_success_at"}
_MISFITS = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, RecursionError)


class StateError(ValueError):
    """A state file that cannot be used; the message says why."""


def save(path: Path, realm: Realm) -> None:
    """Write all worlds of *realm* to *path*, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    worlds = [
        {"place": key, "name": world.name, **_dump(world)} for key, world in realm.worlds.items()
    ]
    data = {"format": FORMAT, "made_with": _identity(realm.settings), "worlds": worlds}
    # mkstemp makes the file 0600 and never follows a link; the rename replaces one.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise


def check_writable(path: Path) -> None:
    """Check at the start that :func:`save` can write at the end.

    Raises:
        OSError: It cannot: the folder is missing, or read-only.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    Path(draft).unlink()


def load(path: Path, realm: Realm) -> None:
    """Take over the worlds that :func:`save` wrote; a file that does not exist has none.

    Raises:
        StateError: The file belongs to another user, is not a sandbox state, or was made with
            another seed.
        OSError: It cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    with os.fdopen(handle) as file:
        _trust(os.fstat(handle), path)
        try:
            data = json.load(file)
            if data["format"] not in _READABLE:
                raise StateError(f"{path}: format {data['format']!r} is unknown to this version")
            _compare(path, data["made_with"], _identity(realm.settings))
            realm.worlds |= dict(_read(saved, realm.settings) for saved in data["worlds"])
        except StateError:
            raise
        except _MISFITS as error:
            raise StateError(f"{path} is not a sandbox state: {error!r}") from error


def _trust(info: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise StateError(f"{path} is not a regular file")
    if info.st_uid != os.getuid():
        raise StateError(f"{path} belongs to another user")


def _identity(settings: Settings) -> dict[str, Any]:
    return {"seed": settings.seed, "accounts": settings.accounts, "varied": settings.varied}


def _compare(path: Path, saved: dict[str, Any], current: dict[str, Any]) -> None:
    for name, value in current.items():
        if saved[name] != value:
            raise StateError(f"{path} was made with {name}={saved[name]!r}, not {value!r}")


def _dump(world: World) -> dict[str, Any]:
    store = world.store
    return {
        "offset": world.offset,
        "events": store.log.count,
        "past": [attrs.asdict(event) for event in list(store.log.past.values())[-_EVENTS:]],
        "undelivered": sorted(store.log.undelivered),
        "outages": [[name, *map(_closed, pairs)] for name, pairs in store.outages.items()],
        "changed": {index: attrs.asdict(state) for index, state in store.changed.items()},
        "linked": [attrs.asdict(facts) for facts in store.linked.values()],
        "sessions": [attrs.asdict(session) for session in store.sessions.values()],
        "keys": world.keys.dump(),
        "faults": [attrs.asdict(fault) for fault in world.faults.in_force],
        "ledger": world.ledger.dump(),
    }


def _closed(outage: tuple[float, float]) -> list[float | None]:
    """Return an outage as JSON, which has no infinity."""
    start, end = outage
    return [start, None if end == math.inf else end]


def _read(data: dict[str, Any], settings: Settings) -> tuple[tuple[str, str], World]:
    key, account = data["place"]
    world = World(settings, data["name"])
    _fill(world, data)
    return (key, account), world


def _fill(world: World, data: dict[str, Any]) -> None:
    store: Store = world.store
    world.advance(float(data["offset"]))
    store.log.count = int(data["events"])
    store.log.past = {saved["number"]: _happened(saved) for saved in data.get("past", ())}
    store.log.undelivered = store.log.past.keys() & set(data.get("undelivered", ()))
    store.outages = {
        name: tuple((start, math.inf if end is None else end) for start, end in pairs)
        for name, *pairs in data.get("outages", ())
    }
    store.changed = {int(index): _account_state(state) for index, state in data["changed"].items()}
    store.linked = {facts["index"]: Facts(**_tuples(facts)) for facts in data["linked"]}
    store.sessions = {session["id"]: Session(**_tuples(session)) for session in data["sessions"]}
    world.keys.load(data["keys"])
    world.faults = FaultBook(fault(saved) for saved in data["faults"])
    world.ledger.load(data["ledger"])


def _account_state(data: dict[str, Any]) -> AccountState:
    refreshes = {name: Refresh(**_tuples(data[name])) for name in FEATURES}
    parts = {**refreshes, "rare": Rare(**data.get("rare", {}))}
    return AccountState(**{**_tuples(data), **parts})


def _happened(data: dict[str, Any]) -> Happened:
    emit = data["emit"]
    before = emit["before"] and _account_state(emit["before"])
    return Happened(
        data["number"], Emit(**{**emit, "before": before}), _account_state(data["state"])
    )


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    tuples = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
    return _renamed(tuples)


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in data.items()}
