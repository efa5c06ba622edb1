"""What a test does to a sandbox from Python: reads its ledger, breaks it, moves its clock."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.faults import Fault, fault
from fcasync.sandbox._api.rates import RateLimit, rate_limit
from fcasync.sandbox._api.realm import is_connected_account
from fcasync.sandbox._api.world import World
from fcasync.sandbox._server.host import Host

T = TypeVar("T")


class Controls:
    """What a test does to the world of an API key, or of one of its connected accounts."""

    def __init__(self, host: Host, account: str = "") -> None:
        self._host = host
        """The server, and the desk that does what is asked for here."""
        self._account = account
        """The connected account; empty for the key's own."""

    @property
    def world(self) -> World:
        """The world of the sandbox's API key, without the wire."""
        return self._host.desk.realm.world(account=self._account)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """One row per request, oldest first; the latest 100 000 are kept."""
        return self._do(lambda: self.world.ledger.rows)

    def executions(self, operation: str) -> dict[str, int]:
        """Return how often *operation* took effect on each account; this count never forgets."""
        return self._do(lambda: self.world.ledger.executions(operation))

    def set_rate_limit(self, limit: RateLimit | str | float | None) -> None:
        """Replace the limits: a preset, requests per second, a :class:`RateLimit`, or None.

        Raises:
            ValueError: The preset is unknown, or the rate is not above 0.
        """
        read = rate_limit(limit)
        self._do(lambda: self._host.desk.set_rate_limit(self.world, read))

    @property
    def faults(self) -> list[Fault]:
        """The faults in force."""
        return self._do(lambda: self.world.faults.in_force)

    def add_faults(self, *faults: Fault | Mapping[str, Any]) -> None:
        """Put faults into force, behind those that already are.

        Raises:
            ValueError: A mapping is not a description of a fault.
        """
        read = [fault(item) for item in faults]
        self._do(lambda: self.world.faults.add(read))

    def clear_faults(self) -> None:
        """End all faults."""
        self._do(self.world.faults.clear)

    @property
    def now(self) -> float:
        """The world's Unix time, in seconds."""
        return self._host.desk.now(self.world)

    def advance(self, seconds: float) -> None:
        """Move the world's clock forward.

        Raises:
            ValueError: *seconds* is negative, or the world would be 100 years ahead.
        """
        self._do(lambda: self._host.desk.advance(self.world, seconds))

    def reset(self) -> None:
        """Reset the world to what the seed makes; scripted faults start over."""
        self._do(lambda: self._host.desk.realm.reset(self.world))

    def scenario(self, account_id: str, name: str) -> dict[str, Any]:
        """Play a rare moment on an account: ``relink_required``, ``null_balance``, ...

        Each changes the account and sends the event that Stripe sends;
        ``fcasync.sandbox.SCENARIOS`` says what each of them does.

        Args:
            account_id: The account.
            name: One of the scenarios; ``ordinary`` ends those about the account.

        Returns:
            The account afterwards, as the API shows it.

        Raises:
            ValueError: The account or the scenario is unknown, or does not fit the account.
        """
        return self._do(lambda: self._host.desk.scenario(self.world, account_id, name))

    def deactivate(self, account_id: str) -> None:
        """Let the bank end access to an account until it is reactivated.

        Raises:
            ValueError: The account is unknown or disconnected.
        """
        self.scenario(account_id, "deactivated")

    def reactivate(self, account_id: str) -> None:
        """Let the bank give access to an account back.

        Raises:
            ValueError: The account is unknown or disconnected.
        """
        self.scenario(account_id, "reactivated")

    def link(
        self,
        client_secret: str,
        institution: str | None = None,
        accounts: Sequence[int] | int = 1,
    ) -> list[str]:
        """Do what a person does on the page at ``/link/<client_secret>``.

        Args:
            client_secret: Of the session; not its id.
            institution: One of those that the page shows; None for the last of them.
            accounts: How many accounts, or the positions, 0-based, of those to pick in the list
                that the page shows.

        Returns:
            The ids of the accounts that were linked.

        Raises:
            ValueError: The session is unknown or filled, or does not allow these accounts.
        """
        picks = list(range(accounts)) if isinstance(accounts, int) else list(accounts)
        desk = self._host.desk

        def link() -> list[str]:
            bank = desk.link_page(client_secret)["institutions"][-1]
            linked: list[str] = desk.link(client_secret, institution or bank, picks)["linked"]
            return linked

        return self._do(link)

    def decline(self, client_secret: str) -> None:
        """Cancel a session, as a person does on the page at ``/link/<client_secret>``.

        Raises:
            ValueError: The session is unknown, or has its accounts.
        """
        self._do(lambda: self._host.desk.decline(client_secret))

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """The attempts to deliver webhooks, oldest first; the latest 1000 are kept."""
        return self._do(self._host.deliveries)

    def save(self) -> None:
        """Write the state file now; without one, do nothing.

        Events that are not due yet and the ledgers' older rows are not in it.
        """
        self._do(self._host.save)

    def _do(self, action: Callable[[], T]) -> T:
        """Run *action* where the server runs, so that nothing else runs meanwhile."""
        try:
            home = self._host.home
            return action() if home is None else home.run(_later(action))
        except ApiError as error:
            raise ValueError(error.message) from None


class ConnectedAccount(Controls):
    """A connected account (``Stripe-Account``) of the sandbox's API key."""

    def __init__(self, host: Host, account: str) -> None:
        if not is_connected_account(account):
            raise ValueError(f"{account!r} is not the id of a connected account, such as acct_1")
        super().__init__(host, account)

    def __repr__(self) -> str:
        return f"<{self._account}, {self.world.store.total} accounts>"

    def revoke(self) -> None:
        """Take the platform's access away: its requests get a 403 until :meth:`restore`."""
        self._do(lambda: self._host.desk.realm.revoked.add(self._account))

    def restore(self) -> None:
        """Give the access back."""
        self._do(lambda: self._host.desk.realm.revoked.discard(self._account))


async def _later(action: Callable[[], T]) -> T:
    return action()
