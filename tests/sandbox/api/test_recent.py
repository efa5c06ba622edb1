"""What is kept of the latest requests: enough to look into one, bounded, and without the key."""

from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.recent import CUT, LONGEST, Recent
from fcasync.sandbox._api.world import Settings
from tests.sandbox.worlds import ACCOUNTS, START

KEY = "sk_test_0123456789abcdefghijXYZ9"


def realm() -> Realm:
    return Realm(Settings(accounts=3), KEY)


def request(query: str = "", body: bytes = b"", headers: dict[str, str] | None = None) -> Request:
    method = "POST" if body else "GET"
    return Request(
        method, ACCOUNTS, query, body, {"authorization": f"Bearer {KEY}", **(headers or {})}
    )


def test_the_latest_requests_are_kept_and_the_oldest_go() -> None:
    """However many worlds there are, no more than the bound are held in all."""
    bank = realm()
    for number in range(LONGEST + 5):
        headers = {"stripe-account": f"acct_{number % 7}"}
        bank.apply(request(f"limit={number}", headers=headers), START)
    held = [
        found
        for owner, world in bank.worlds.items()
        for number in range(1, world.ledger.requests + 1)
        if (found := bank.recent.find(owner, number)) is not None
    ]

    assert len(held) == LONGEST
    assert {found.query for found in held} == {f"limit={n}" for n in range(5, LONGEST + 5)}


def test_a_large_body_is_cut() -> None:
    """A client that sends a megabyte does not fill the memory with it."""
    bank = realm()
    world, _, _ = bank.apply(request("a" * 50_000, b"x" * 1_000_000), START)
    kept = bank.recent.find(bank.owner(world), 1)

    assert kept is not None
    assert (len(kept.query), len(kept.body), kept.body_size) == (CUT, CUT, 1_000_000)


def test_the_key_is_not_kept() -> None:
    """What is kept is shown, so no header that carries a secret is among it."""
    bank = realm()
    world, _, _ = bank.apply(request(headers={"stripe-version": "2026-10-28.endive"}), START)
    kept = bank.recent.find(bank.owner(world), 1)

    assert kept is not None
    assert kept.headers == {"stripe-version": "2026-10-28.endive"}
    assert KEY not in repr(kept)


def test_a_reset_forgets_the_requests_of_its_world_alone() -> None:
    """Row 1 of the new world is not shown with what row 1 of the old one was."""
    bank = realm()
    for account in ("acct_1", "acct_2"):
        bank.apply(request(headers={"stripe-account": account}), START)
    first, second = (bank.world(KEY, account) for account in ("acct_1", "acct_2"))
    owner = bank.owner(first)
    bank.reset(first)

    assert bank.recent.find(owner, 1) is None
    assert bank.recent.find(bank.owner(second), 1) is not None


def test_a_refused_key_is_kept_with_its_row() -> None:
    """A request without a world stands in the sandbox's own ledger, and can be looked into."""
    bank = realm()
    refused = Request("GET", ACCOUNTS, "limit=1", b"", {"authorization": "Bearer sk_live_123"})
    world, reply, _ = bank.apply(refused, START)
    kept = bank.recent.find(bank.owner(world), 1)

    assert (reply.status, world is bank.world()) == (401, True)
    assert kept is not None
    assert kept.answer == reply.body


def test_what_was_not_kept_is_not_there() -> None:
    """Looking for it is not an error."""
    assert Recent().find(("", ""), 1) is None


def test_keys_are_only_known_by_digest_and_shortened() -> None:
    """Nobody can read a key from the list of worlds."""
    bank = realm()
    bank.apply(Request("GET", ACCOUNTS, headers={"authorization": "Bearer sk_test_mine"}), START)

    assert sorted(bank.labels.values()) == ["sk_test_…", "sk_test_…XYZ9"]
    assert KEY not in repr(bank.worlds.keys())
