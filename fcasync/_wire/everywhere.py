"""Hooks that every client has besides its own, for what is switched on without code."""

from typing import Protocol
from weakref import WeakValueDictionary

from fcasync.hooks import Hook


class Listener(Protocol):
    """Who must know of them."""

    def update(self) -> None:
        """Take over the hooks as they are now."""


class Everywhere:
    """The hooks of all clients, those that exist already included."""

    def __init__(self) -> None:
        self.hooks: tuple[Hook, ...] = ()
        self._listeners: WeakValueDictionary[int, Listener] = WeakValueDictionary()

    def join(self, listener: Listener) -> None:
        """Keep *listener* up to date as long as it lives, beginning now."""
        self._listeners[id(listener)] = listener
        listener.update()

    def add(self, hook: Hook) -> None:
        """Add *hook* to every client, except those that have one of its type."""
        self.hooks = (*self.hooks, hook)
        self._tell()

    def remove(self, hook: Hook) -> None:
        """Take *hook* away from every client."""
        self.hooks = tuple(each for each in self.hooks if each is not hook)
        self._tell()

    def _tell(self) -> None:
        # Other threads may build clients meanwhile; each of them joins first and looks then.
        for reference in self._listeners.valuerefs():
            if (listener := reference()) is not None:
                listener.update()


EVERYWHERE = Everywhere()
