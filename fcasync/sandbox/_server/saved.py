"""A sandbox's worlds on disk: one JSON file that only its owner can read, never a pickle.

It holds what differs from the seed, and no API key: worlds are told apart by a digest.
"""

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import attrs

from fcasync.sandbox._api.faults import FaultBook, fault
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.seed import Facts
from fcasync.sandbox._bank.states import AccountState, Refresh
from fcasync.sandbox._bank.store import Session, Store

FORMAT = 1
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
    told = {"format": FORMAT, "made_with": _identity(realm.settings), "worlds": worlds}
    # mkstemp makes the file 0600 and never follows a link; the rename replaces one.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise


def load(path: Path, realm: Realm) -> None:
    """Take over the worlds that :func:`save` wrote; a file that does not exist has none.

    Raises:
        StateError: The file is someone else's, is no state, or was made with another seed.
        OSError: It cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    with os.fdopen(handle) as file:
        _trust(os.fstat(handle), path)
        try:
            told = json.load(file)
            if told["format"] != FORMAT:
                raise StateError(f"{path}: format {told['format']!r} is unknown to this version")
            _compare(path, told["made_with"], _identity(realm.settings))
            realm.worlds |= dict(_read(known, realm.settings) for known in told["worlds"])
        except StateError:
            raise
        except _MISFITS as error:
            raise StateError(f"{path} is not a sandbox state: {error!r}") from error


def _trust(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"{path} is not a regular file")
    if found.st_uid != os.getuid():
        raise StateError(f"{path} belongs to another user")


def _identity(settings: Settings) -> dict[str, Any]:
    return {"seed": settings.seed, "accounts": settings.accounts, "varied": settings.varied}


def _compare(path: Path, saved: dict[str, Any], given: dict[str, Any]) -> None:
    for name, value in given.items():
        if saved[name] != value:
            raise StateError(f"{path} was made with {name}={saved[name]!r}, not {value!r}")


def _dump(world: World) -> dict[str, Any]:
    store = world.store
    return {
        "offset": world.offset,
        "events": world.events,
        "changed": {index: attrs.asdict(state) for index, state in store.changed.items()},
        "linked": [attrs.asdict(facts) for facts in store.linked.values()],
        "sessions": [attrs.asdict(session) for session in store.sessions.values()],
        "keys": world.keys.dump(),
        "faults": [attrs.asdict(fault) for fault in world.faults.in_force],
        "ledger": world.ledger.dump(),
    }


def _read(told: dict[str, Any], settings: Settings) -> tuple[tuple[str, str], World]:
    key, account = told["place"]
    world = World(settings, told["name"])
    _fill(world, told)
    return (key, account), world


def _fill(world: World, told: dict[str, Any]) -> None:
    store: Store = world.store
    world.advance(float(told["offset"]))
    world.events = int(told["events"])
    store.changed = {int(index): _account_state(state) for index, state in told["changed"].items()}
    store.linked = {facts["index"]: Facts(**_tuples(facts)) for facts in told["linked"]}
    store.sessions = {known["id"]: Session(**_tuples(known)) for known in told["sessions"]}
    world.keys.load(told["keys"])
    world.faults = FaultBook(fault(known) for known in told["faults"])
    world.ledger.load(told["ledger"])


def _account_state(told: dict[str, Any]) -> AccountState:
    refreshes = {name: Refresh(**told[name]) for name in ("balance", "ownership", "transactions")}
    return AccountState(**{**told, **refreshes, "subscriptions": tuple(told["subscriptions"])})


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
