"""The base of the generated classes: a blocking face of an asynchronous object."""

from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec, TypeVar

from fcasync.blocking._loops import Loops

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Facade(Generic[A]):
    """Methods of the same names as those of *wrapped*, which block.

    Args:
        loops: Where they run.
        wrapped: What they call.
    """

    def __init__(self, loops: Loops, wrapped: A) -> None:
        self._loops = loops
        self._async = wrapped

    def _run(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._loops.run(method, *args, **kwargs)
