"""What is to be done next about one account."""

import attrs

from fcasync.errors import FCError


@attrs.frozen
class Enqueue:
    """Let the task have its turn, then step(Due)."""


@attrs.frozen
class EnqueueFirst:
    """The same, ahead of all others."""


@attrs.frozen
class EnqueueAfter:
    """The same, after *seconds*."""

    seconds: float


@attrs.frozen
class Store:
    """Write the task down, and only when it is on disk let it have its turn."""


@attrs.frozen
class Send:
    """Send the request with *key*. Only Due leads here."""

    key: str


@attrs.frozen
class Look:
    """Fetch the account, then step(Seen) or step(Unseen). Only Due leads here."""


@attrs.frozen
class Settle:
    """Write down that it was accepted; from now on, step(Seen) whenever the account is seen."""


@attrs.frozen
class Finish:
    """Write the outcome down, and only when it is on disk show it."""


@attrs.frozen
class Forget:
    """This account is finished already, by an earlier run or by this one."""


@attrs.frozen
class Abort:
    """End the run."""

    error: FCError


@attrs.frozen
class Wait:
    """Do nothing until the next event."""


Command = (
    Enqueue
    | EnqueueFirst
    | EnqueueAfter
    | Store
    | Send
    | Look
    | Settle
    | Finish
    | Forget
    | Abort
    | Wait
)
