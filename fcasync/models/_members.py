"""The members of open enums, looked up by the strings that Stripe sends."""

from enum import StrEnum

_LISTS = 256
"""The most lists of enum values that a field caches; Stripe sends only a few different ones."""


class Members(dict[str, str]):
    """The members of an open enum by value; an unknown string is its own member."""

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__({member.value: member for member in enum})

    def __missing__(self, value: object) -> str:
        if type(value) is not str:
            raise TypeError
        return value


class MemberLists(dict[tuple[str, ...], list[str]]):
    """A cache of lists of an open enum's members, by the tuple of their values."""

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__()
        self._members = Members(enum)

    def __missing__(self, values: tuple[str, ...]) -> list[str]:
        known = [self._members[value] for value in values]
        if len(self) < _LISTS:
            self[values] = known
        return known
