"""Random idempotency keys, made from many random bytes at a time: each system call is slow."""

import os

_BYTES = 4096
_DIGITS = 32

_pool: list[str] = []  # hexadecimal digits of keys to come; list.pop is atomic


def new_key() -> str:
    """Return a random UUID of version 4."""
    try:
        digits = _pool.pop()
    except IndexError:
        digits = _fill()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _fill() -> str:
    digits = os.urandom(_BYTES).hex()
    keys = [digits[start : start + _DIGITS] for start in range(0, len(digits), _DIGITS)]
    last = keys.pop()
    _pool.extend(keys)
    return last


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)  # or parent and child would send the same keys
