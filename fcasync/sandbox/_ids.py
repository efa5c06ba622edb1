"""Ids that look like Stripe's and can be read back: no table maps an id to its object.

``fca_1`` + 9 characters of permuted index + 6 of the seed + 8 of check. The permutation is a
Feistel network keyed by the seed, so that neighbours share nothing; the check makes a mistyped
id, or one of another seed, unknown instead of someone else's.
"""

import attrs

from fcasync.sandbox._dice import mix, number_of

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_HALF = 24
_LOW = (1 << _HALF) - 1
_INDEX_SIZE = 9  # 62**9 > 2**48
_STAMP_SIZE = 6
_CHECK_SIZE = 8
_ROUNDS = (1, 2, 3)


def base62(number: int, size: int) -> str:
    """Return the last *size* base-62 digits of *number*."""
    pairs = []
    for _ in range((size + 1) // 2):
        number, pair = divmod(number, 3844)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[-size:]


def token(size: int, *numbers: int) -> str:
    """Return *size* letters and digits that follow from *numbers*."""
    parts = [base62(mix(*numbers, part), 10) for part in range(-(-size // 10))]
    return "".join(parts)[:size]


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _VALUES[digit]
    return number


@attrs.frozen
class Ids:
    """One family of ids, such as all accounts of a world."""

    prefix: str
    seed: int
    _stamp: str = attrs.field(init=False)
    _salt: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_stamp", base62(mix(self.seed, 0x57A3), _STAMP_SIZE))
        object.__setattr__(self, "_salt", mix(self.seed, number_of(self.prefix)))

    def encode(self, index: int) -> str:
        """Return the id of object number *index*, which is in [0, 2**48)."""
        left, right = index >> _HALF, index & _LOW
        for key in _ROUNDS:
            left, right = right, left ^ (mix(self._salt, key, right) & _LOW)
        hidden = base62(left << _HALF | right, _INDEX_SIZE)
        return f"{self.prefix}1{hidden}{self._stamp}{self._check(index)}"

    def decode(self, text: str) -> int | None:
        """Return the index that *text* stands for, or None if it is no id of this family."""
        start = len(self.prefix) + 1
        hidden = text[start : start + _INDEX_SIZE]
        if len(hidden) != _INDEX_SIZE or any(digit not in _VALUES for digit in hidden):
            return None
        number = _number(hidden)
        left, right = number >> _HALF, number & _LOW
        for key in reversed(_ROUNDS):
            left, right = right ^ (mix(self._salt, key, left) & _LOW), left
        index = left << _HALF | right
        return index if index >= 0 and self.encode(index) == text else None

    def _check(self, index: int) -> str:
        return base62(mix(self._salt, 0xC4EC, index), _CHECK_SIZE)
