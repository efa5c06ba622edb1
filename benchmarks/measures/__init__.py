"""One file per measure; each has a ``run(size)`` that returns a Result."""

from collections.abc import Callable

from benchmarks.lab import Result, Size
from benchmarks.measures import (
    bulk,
    decode,
    imports,
    instructions,
    journal,
    keep,
    layers,
    loops,
    mirror,
    refresh,
    scale,
    tls,
    walk,
)

MEASURES: dict[str, Callable[[Size], Result]] = {
    "refresh": refresh.run,
    "walk": walk.run,
    "bulk": bulk.run,
    "decode": decode.run,
    "keep": keep.run,
    "imports": imports.run,
    "layers": layers.run,
    "scale": scale.run,
    "loops": loops.run,
    "mirror": mirror.run,
    "tls": tls.run,
}
BY_NAME: dict[str, Callable[[Size], Result]] = {
    "instructions": instructions.run,
    "journal": journal.run,
}
"""Measures that take minutes, and run only when they are named."""
