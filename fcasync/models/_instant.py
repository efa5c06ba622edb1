"""Instants that become datetimes when they are read.

A page of accounts holds nine instants per account. Converting all of them would take a quarter of
the decoding time, and most are never read.
"""

from datetime import UTC, datetime
from types import MemberDescriptorType
from typing import Any, Final

MIN: Final = -62_135_596_800
"""The earliest Unix time that a datetime can represent: year 1."""

MAX: Final = 253_402_300_799
"""The latest Unix time that a datetime can represent: year 9999."""


class Instant:
    """A slot that may hold a Unix time; reading it returns an aware UTC datetime."""

    __slots__ = ("_slot",)

    def __init__(self, slot: MemberDescriptorType) -> None:
        self._slot = slot

    def __get__(self, model: Any, owner: type) -> Any:
        if model is None:
            return self._slot
        value = self._slot.__get__(model, owner)
        if type(value) is not int:
            return value
        instant = datetime.fromtimestamp(value, UTC)
        self._slot.__set__(model, instant)
        return instant

    def __set__(self, model: Any, value: datetime | None) -> None:
        # Only __init__ and unpickling call this, because models are frozen.
        self._slot.__set__(model, value)
