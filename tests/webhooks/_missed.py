"""A sandbox in which banks end the access to accounts, which sends events."""

from datetime import UTC, datetime

from fcasync.sandbox import Sandbox


def deactivate(sandbox: Sandbox, *indices: int) -> list[str]:
    """Let banks end access to some accounts, and return their ids."""
    store = sandbox.world.store
    ids = [store.seed.account_ids.encode(index) for index in indices]
    for each in ids:
        sandbox.scenario(each, "deactivated")
    return ids


def now(sandbox: Sandbox) -> datetime:
    return datetime.fromtimestamp(sandbox.now, UTC)
