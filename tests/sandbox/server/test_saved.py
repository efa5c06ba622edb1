"""The state file: what comes back, and what is refused."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from fcasync.sandbox import Sandbox, StateError
from fcasync.sandbox._api.link import link
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.scenarios import play
from fcasync.sandbox._api.world import Settings
from fcasync.sandbox._server.saved import load, save
from tests.sandbox.worlds import SESSIONS, Driver

BALANCE = ("features[]", "balance")
HOLDER = [("account_holder[type]", "customer"), ("account_holder[customer]", "cus_1")]


def realm(**settings: Any) -> Realm:
    return Realm(Settings(**settings), "sk_test_secret_key")


def used(worlds: Realm) -> Driver:
    """Return a driver of a world in which something has happened."""
    api = Driver(worlds.world())
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    api.post(api.url(3, "subscribe"), ("features[]", "transactions"))
    api.post(SESSIONS, *HOLDER, ("permissions[]", "balances"), ("limits[accounts]", "1"))
    session = next(iter(api.world.store.sessions.values()))
    link(api.world.store, session, "Test Institution", [1], api.now)
    api.world.advance(12.5)
    return api


def test_events_and_scenarios_are_saved(tmp_path: Path) -> None:
    """What has happened can be read, what is out of the ordinary stays, and a bank is down."""
    first, second = realm(delivers=True, varied=False), realm(delivers=True, varied=False)
    before = Driver(first.world())
    store = before.world.store
    index = next(i for i in range(25) if len(store.facts(i).payment_methods) == 2)
    for name in (
        "upcoming_account_number_expiry",
        "account_number_expired",
        "relink_required",
        "null_balance",
        "institution_down",
    ):
        done = play(store, before.account_id(index), name, before.world.settle(before.now))
        store.log.expect(done.effects)
    before.now += 1
    expected = before.events()
    store.log.undelivered.discard(1)
    save(tmp_path / "state.json", first)
    load(tmp_path / "state.json", second)
    after = Driver(second.world(), before.now)

    assert after.events() == before.events()
    assert [event["pending_webhooks"] for event in after.events()] == [1, 1, 1, 0]
    assert [event["id"] for event in after.events()] == [event["id"] for event in expected]
    assert after.get(after.url(index)) == before.get(before.url(index))
    for api in (before, after):
        api.now += 100
        api.post(api.url(index, "refresh"), BALANCE)
        api.now += 100
        assert api.get(api.url(index))["balance_refresh"]["status"] == "failed"
    assert after.events()[0]["id"] == before.events()[0]["id"]


def test_a_loaded_world_goes_on_where_it_was(tmp_path: Path) -> None:
    """Accounts, sessions, keys, clock and ledger come back; the next reply is the same."""
    first, second = realm(), realm()
    before = used(first)
    save(tmp_path / "state.json", first)
    load(tmp_path / "state.json", second)
    after = Driver(second.world(), before.now)

    assert after.world.ledger.rows == before.world.ledger.rows
    assert after.world.ledger.executions("refresh") == before.world.ledger.executions("refresh")
    for path in (
        before.url(1),
        before.url(3),
        before.url(25),
        "/v1/financial_connections/accounts",
    ):
        assert after.get(path) == before.get(path)
    session_id = next(iter(before.world.store.sessions))
    assert after.get(f"{SESSIONS}/{session_id}") == before.get(f"{SESSIONS}/{session_id}")
    after.post(after.url(1, "refresh"), BALANCE, key="k")
    assert after.reply.headers["Idempotent-Replayed"] == "true"


def test_the_file_is_private_and_holds_no_key(tmp_path: Path) -> None:
    """Only its owner can read the file, and even there no API key stands."""
    path = tmp_path / "state.json"
    worlds = realm()
    used(worlds)
    save(path, worlds)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sk_test" not in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    """A link that someone left in the way leads nowhere."""
    victim, path = tmp_path / "victim", tmp_path / "state.json"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        load(path, realm())
    save(path, realm())

    assert victim.read_text() == "precious"
    assert not path.is_symlink()


def test_a_pipe_is_not_a_state(tmp_path: Path) -> None:
    """Reading a FIFO neither blocks nor works."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(StateError, match="regular"):
        load(tmp_path / "pipe", realm())


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"seed": 1}, "seed"), ({"accounts": 3}, "accounts"), ({"varied": False}, "varied")],
)
def test_a_state_belongs_to_its_seed(tmp_path: Path, settings: dict[str, Any], name: str) -> None:
    """Changes on top of other accounts would mean nothing: refused, with what differs."""
    save(tmp_path / "state.json", realm())

    with pytest.raises(StateError, match=name):
        load(tmp_path / "state.json", realm(**settings))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", '{"format": 2}', "\x80", "[" * 100_000]
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is not a state is named, and nothing is taken from it."""
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(StateError, match=r"state\.json"):
        load(tmp_path / "state.json", realm())


@pytest.mark.parametrize("offset", ["1e999", "[]", '"?"'])
def test_nothing_is_taken_from_a_damaged_file(tmp_path: Path, offset: str) -> None:
    """Where one of two worlds cannot be read, the other is left alone too."""
    path, worlds = tmp_path / "state.json", realm()
    worlds.world().advance(7)
    worlds.world("sk_test_other").advance(424_242)
    save(path, worlds)
    path.write_text(path.read_text().replace("424242.0", offset))
    fresh = realm()
    with pytest.raises(StateError, match=r"state\.json"):
        load(path, fresh)

    assert fresh.world().offset == 0


def test_any_cut_is_noticed(tmp_path: Path) -> None:
    """A file cut short anywhere is refused whole."""
    path, worlds = tmp_path / "state.json", realm()
    used(worlds)
    save(path, worlds)
    text = path.read_text()
    for end in range(1, len(text) - 1, 97):
        path.write_text(text[:end])
        with pytest.raises(StateError):
            load(path, realm())


async def test_a_sandbox_saves_when_it_ends(tmp_path: Path) -> None:
    """`state=` reads at the start what the last sandbox wrote at its end."""
    path = tmp_path / "state.json"
    async with Sandbox(state=path) as sandbox:
        sandbox.advance(100)
    async with Sandbox(state=str(path)) as sandbox:
        assert sandbox.world.offset == 100
        sandbox.advance(1)
        sandbox.save()
        assert json.loads(path.read_text())["worlds"][0]["offset"] == 101


def test_a_state_of_the_first_format_is_read(tmp_path: Path) -> None:
    """A file of an earlier version, which had other names for three fields, goes on as well."""
    first, second = realm(), realm()
    before = used(first)
    save(tmp_path / "state.json", first)
    text = (tmp_path / "state.json").read_text()
    old_names = {"last_success_at": "good_at", "last_success": "good", "seed": "dice"}
    saved = json.loads(text, object_hook=lambda data: _with_names(data, old_names))
    (tmp_path / "state.json").write_text(json.dumps({**saved, "format": 1}))
    load(tmp_path / "state.json", second)
    after = Driver(second.world(), before.now)

    assert after.get(after.url(1)) == before.get(before.url(1))
    assert after.get(after.url(25)) == before.get(before.url(25))


def _with_names(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    if "varied" in data:  # what the file was made with
        return data
    return {names.get(name, name): value for name, value in data.items()}


def test_a_save_that_fails_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs neither the old file nor leaves half of a new one."""
    path, worlds = tmp_path / "state.json", realm()
    save(path, worlds)
    before = path.read_bytes()
    used(worlds)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, worlds)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]
