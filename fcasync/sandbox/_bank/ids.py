"""Ids that look like Stripe's and can be read back: no table maps an id to its object.

``fca_1`` + 9 characters of permuted index + 6 of the seed + 8 of check. The permutation is a
Feistel network keyed by the seed, so that neighbours share nothing; the check makes a mistyped
id, or one of another seed, unknown instead of someone else's.
"""

import attrs

from fcasync.sandbox._bank.dice import mix, number_of

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_HALF = 24
_LOW = (1 << _HALF) - 1
_INDEX_SIZE = 9  # 62**9 > 2**48
_ROUNDS = 3
_PART = 20
MOST_ACCOUNTS = 1 << 27
"""Most accounts that a seed may have: half of the numbers, the rest is for those linked later."""


def _ten(number: int) -> str:
    """Return the last ten base-62 digits of *number*; unrolled, for it is on every path."""
    return (
        _PAIRS[number // 3844**4 % 3844]
        + _PAIRS[number // 3844**3 % 3844]
        + _PAIRS[number // 3844**2 % 3844]
        + _PAIRS[number // 3844 % 3844]
        + _PAIRS[number % 3844]
    )


def token(size: int, *numbers: int) -> str:
    """Return *size* letters and digits that follow from *numbers*."""
    parts = [_ten(mix(*numbers, part)) for part in range(-(-size // 10))]
    return "".join(parts)[:size]


def request_id(seed: int, number: int) -> str:
    """Return the id of request *number*: the number makes it unique, *seed* looks random."""
    return f"req_{_ten(seed)}{_ten(number)[-4:]}"


def part(index: int, number: int) -> int:
    """Return what stands for part *number* (a refresh, a transaction) of account *index*.

    After 2**20 of them the numbers begin again, so that no part is taken for another account's.
    """
    return index << _PART | number % (1 << _PART)


def parted(code: int) -> tuple[int, int]:
    """Return account and number of the part that *code* stands for."""
    return code >> _PART, code % (1 << _PART)


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _VALUES[digit]
    return number


def _scrambled(half: int, key: int) -> int:
    return ((half ^ key) * 0x9E3779B97F4A7C15 >> 32) & _LOW


@attrs.frozen
class Ids:
    """One family of ids, such as all accounts of a world."""

    prefix: str
    seed: int
    _stamp: str = attrs.field(init=False)
    _salt: int = attrs.field(init=False)
    _keys: tuple[int, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        salt = mix(self.seed, number_of(self.prefix))
        keys = tuple(mix(salt, number) for number in range(_ROUNDS))
        object.__setattr__(self, "_stamp", token(6, self.seed))
        object.__setattr__(self, "_salt", salt)
        object.__setattr__(self, "_keys", keys)

    def encode(self, index: int) -> str:
        """Return the id of object number *index*, which is in [0, 2**48)."""
        left, right = index >> _HALF, index & _LOW
        for key in self._keys:
            left, right = right, left ^ _scrambled(right, key)
        hidden = _ten(left << _HALF | right)[-_INDEX_SIZE:]
        return f"{self.prefix}1{hidden}{self._stamp}{_ten(mix(self._salt, index))[2:]}"

    def decode(self, text: str) -> int | None:
        """Return the index that *text* stands for, or None if it is not an id of this family."""
        start = len(self.prefix) + 1
        hidden = text[start : start + _INDEX_SIZE]
        if not hidden.isalnum() or not hidden.isascii():
            return None
        number = _number(hidden)
        left, right = number >> _HALF, number & _LOW
        for key in reversed(self._keys):
            left, right = right ^ _scrambled(left, key), left
        index = left << _HALF | right
        return index if self.encode(index) == text else None
