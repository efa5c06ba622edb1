"""Numbers that follow from other numbers: the sandbox's only source of chance.

The mixer is splitmix64's finaliser (Steele, Lea and Flood, 2014): cheap in Python, the same on
every machine and in every run, and good enough to look random.
"""

import hashlib
from enum import IntEnum

_MASK = (1 << 64) - 1


class Salt(IntEnum):
    """Keeps apart what follows from the same numbers; each purpose has one of its own.

    The values are part of what a seed means: another value is another population.
    """

    API_KEY = 0x4E4
    WEBHOOK_SECRET = 0x5EC
    REQUEST = 0x4E9
    SESSION = 0x5EC7
    ACCOUNT = 0xACC0
    OWNER = 0x0A7E
    PENDING = 0x7C7
    TRANSACTION = 0x7C8
    LATE = 0x7C9


def mix(*numbers: int) -> int:
    """Return 64 bits that depend on every one of *numbers* and on their order."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ number) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def unit(*numbers: int) -> float:
    """Return a number in [0, 1) that follows from *numbers*."""
    return (mix(*numbers) >> 11) / (1 << 53)


def number_of(text: str) -> int:
    """Return 64 bits that follow from *text*."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
