"""How far the source is read ahead, and who is being worked on."""

import asyncio

import attrs

from fcasync.bulk._plan.task import Task


class Place:
    """Room for one account; whoever is done with it first gives it back, and only once."""

    __slots__ = ("_was_left", "_window")

    def __init__(self, window: "Window") -> None:
        self._window = window
        self._was_left = False

    def leave(self) -> None:
        """Give the room back; a second call changes nothing."""
        if not self._was_left:
            self._was_left = True
            self._window.free += 1
            self._window.news.set()


class Window:
    """Bounds the accounts that were read from the source and not yet taken by the caller."""

    def __init__(self, size: int) -> None:
        self.free = size
        """Places that nobody has."""
        self.news = asyncio.Event()
        """Set when a place was left."""

    async def enter(self) -> Place:
        """Wait until there is room for one more account; one caller at a time."""
        while not self.free:
            self.news.clear()
            await self.news.wait()
        self.free -= 1
        return Place(self)


@attrs.define
class Live:
    """The accounts in work, by id, each with its place in the window."""

    _entries: dict[str, tuple[Task, Place]] = attrs.field(factory=dict, init=False)
    _is_empty: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def __contains__(self, account_id: str) -> bool:
        return account_id in self._entries

    def add(self, task: Task, place: Place) -> None:
        """Begin to work on *task*."""
        self._entries[task.account_id] = task, place
        self._is_empty.clear()

    def tasks(self) -> list[Task]:
        """Return all tasks in work."""
        return [task for task, _ in self._entries.values()]

    def place(self, task: Task) -> Place:
        """Return the place of *task*."""
        return self._entries[task.account_id][1]

    def remove(self, task: Task) -> Place:
        """Stop working on *task* and return its place, which may still be taken."""
        _, place = self._entries.pop(task.account_id)
        if not self._entries:
            self._is_empty.set()
        return place

    async def empty(self) -> None:
        """Wait until nothing is in work."""
        if self._entries:
            await self._is_empty.wait()
