"""Long computations in slices, so that the event loop is never blocked."""

import asyncio

SLICE = 200
"""Steps between two turns for others; 200 of the slowest take about 5 ms."""


class Turns:
    """Gives everybody else a turn after every so many steps."""

    def __init__(self) -> None:
        self._steps = 0

    async def step(self) -> None:
        """Count one step."""
        self._steps += 1
        if self._steps % SLICE == 0:
            await asyncio.sleep(0)
