"""One file per measure; each has a ``run(size)`` that returns a Result."""

from collections.abc import Callable

from benchmarks.lab import Result, Size
from benchmarks.measures import (
    decode,
    imports,
    instructions,
    keep,
    layers,
    loops,
    mirror,
    refresh,
    scale,
    walk,
)

MEASURES: dict[str, Callable[[Size], Result]] = {
    "refresh": refresh.run,
    "walk": walk.run,
    "decode": decode.run,
    "keep": keep.run,
    "imports": imports.run,
    "layers": layers.run,
    "scale": scale.run,
    "loops": loops.run,
    "mirror": mirror.run,
}
BY_NAME: dict[str, Callable[[Size], Result]] = {"instructions": instructions.run}
"""Measures that take minutes, and run only when they are named."""
