"""The paces of one client: one for each connected account and operation."""

from collections.abc import Iterator
from weakref import WeakValueDictionary

from fcasync._facts.locks import SHARED
from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace, Scope

MAX_PACES = 4096
"""Paces kept by one limiter; a platform may act for any number of connected accounts."""

Key = tuple[str | None, str]


class Limiter:
    """One :class:`Pace` for each connected account and operation; at most MAX_PACES of them.

    Safe to share between threads.
    """

    __slots__ = ("_limits", "_paces", "_tenants")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._paces: dict[Key, Pace] = {}
        # An account as a whole is remembered as long as one of its operations.
        self._tenants: WeakValueDictionary[str | None, Scope] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._paces)

    def pace(self, stripe_account: str | None, operation: str) -> Pace:
        """Return the pace of *operation* on behalf of *stripe_account* (None: the key's own)."""
        key = (stripe_account, operation)
        return self._paces.get(key) or self._add(key)

    def forget_in_flight(self) -> None:
        """Let go of requests that never end here: after a fork they are the parent's."""
        for pace in list(self._paces.values()):
            pace.operation.in_flight.present.clear()
            pace.tenant.in_flight.present.clear()

    def _add(self, key: Key) -> Pace:
        with SHARED:
            if len(self._paces) >= MAX_PACES:
                self._forget()
            tenant = self._tenants.setdefault(key[0], Scope())
            return self._paces.setdefault(key, Pace(self._limits, tenant))

    def _forget(self) -> None:
        """Drop what learnt nothing; if that is not half of all, the longest unused as well."""
        now = max(pace.last_used for pace in self._paces.values())
        for key in list(self._idle(now)):
            del self._paces[key]
        by_use = sorted(self._paces, key=lambda key: self._paces[key].last_used)
        for key in by_use[: max(0, len(by_use) - MAX_PACES // 2)]:
            del self._paces[key]

    def _idle(self, now: float) -> Iterator[Key]:
        return (key for key, pace in self._paces.items() if pace.idle(now))
