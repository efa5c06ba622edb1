"""The base of all enums of strings."""

from enum import StrEnum


class Word(StrEnum):
    """A string that has a name; printed as the string that it equals.

    Inside containers Python prints reprs: ``Counter({'succeeded': 480})``, and not
    ``Counter({<OutcomeStatus.SUCCEEDED: 'succeeded'>: 480})``.
    """

    def __repr__(self) -> str:
        return str.__repr__(self)
