"""What happens after a user has linked accounts: subscribe, refresh, wait for the banks."""

import asyncio
from collections.abc import Iterable, Sequence

import attrs

from fcasync._facts.random_keys import new_key
from fcasync.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    InvalidRequestError,
    describe,
)
from fcasync.models import Account
from fcasync.resources._waiting import refreshed
from fcasync.resources.accounts import REFRESH, RETRIEVE, SUBSCRIBE, Accounts

_PERMISSIONS = {"balance": "balances", "ownership": "ownership", "transactions": "transactions"}
"""The permission that each feature needs."""


@attrs.frozen
class Onboarding:
    """Makes linked accounts ready for use."""

    accounts: Accounts
    subscribe: Sequence[str]
    features: Sequence[str]
    timeout: float
    """Seconds to wait for the banks, for all accounts together."""

    async def all(self, linked: Iterable[Account]) -> list[Account]:
        """Return the accounts, in their order, as they are when their banks have answered."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._one(account), name="fcasync.collect")
                    for account in linked
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, account: Account) -> Account:
        for step in (self._subscribed, self._refreshed):
            try:
                account = await step(account)
            except InvalidRequestError:
                # It was deactivated in the meantime, is refreshed already, or its bank does not
                # offer this: the account shows which.
                account = await self.accounts.retrieve(account)
        return account

    async def _subscribed(self, account: Account) -> Account:
        wanted = _granted(account, self.subscribe)
        if not wanted:
            return account
        return await self.accounts._call(SUBSCRIBE, account, {"features": wanted}, new_key())

    async def _refreshed(self, account: Account) -> Account:
        wanted = _granted(account, self.features)
        if not wanted:
            return account
        try:
            return await self._first_refresh(account, wanted)
        except DeadlineExceededError as error:
            if isinstance(error.account, Account):
                return error.account
            raise  # it was Stripe that did not answer, and not the bank

    async def _first_refresh(self, account: Account, features: list[str]) -> Account:
        missing = [each for each in features if account.refresh_of(each) is None]
        key, params = new_key(), {"features": missing}

        async def start(left: float) -> Account:
            if not missing:
                return account
            return await self.accounts._within(left)._call(REFRESH, account, params, key)

        async def look(left: float) -> Account:
            return await self.accounts._within(left)._call(RETRIEVE, account)

        return await refreshed(
            start,
            look,
            clock=self.accounts._engine.clock,
            features=features,
            timeout=self.timeout,
            key=key,
        )


def known(names: list[str], argument: str) -> list[str]:
    """Return *names*, all of which must be features whose permission is known.

    Raises:
        InvalidArgumentError: One is not. Stripe's refusal of it would be taken for the account's.
    """
    for name in names:
        if name not in _PERMISSIONS:
            choices = ", ".join(map(repr, _PERMISSIONS))
            raise InvalidArgumentError(f"{argument} may name {choices}, not {describe(name)}")
    return names


def _granted(account: Account, features: Sequence[str]) -> list[str]:
    """Return those *features* that the holder agreed to share."""
    if account.permissions is None:
        return list(features)
    return [each for each in features if _PERMISSIONS.get(each, each) in account.permissions]
