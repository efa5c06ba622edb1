"""GETs, counted for whoever has to ration them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Reads:
    """How many GETs were sent; Stripe rations them (https://docs.stripe.com/rate-limits)."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count: int = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the GETs of the calls in the block, and of the tasks that are started in it."""
        token = COUNTING.set(self)
        try:
            yield
        finally:
            COUNTING.reset(token)


COUNTING: ContextVar[Reads | None] = ContextVar("fcasync.reads", default=None)
"""What counts the GETs of the running task; None if nothing does."""
