"""The data of the plan: a job, its tasks, what happens to them and what is to be done."""

from enum import Enum
from typing import Literal

import attrs

from fcasync.bulk._plan.verdicts import Verdict
from fcasync.errors import FCError
from fcasync.models import Account

OperationName = Literal["refresh", "subscribe", "unsubscribe", "disconnect"]


@attrs.frozen(kw_only=True)
class Job:
    """What is to be done to every account."""

    id: str
    operation: OperationName
    features: tuple[str, ...]
    """Sorted, so that another order is the same job."""
    wait: bool = False
    retry_failed: bool = False


class State(Enum):
    """Where the task of one account stands."""

    NEW = "new"
    """Read from the source; the journal has not been asked yet."""
    OPEN = "open"
    """Its intent is on disk; nothing is in flight."""
    SENDING = "sending"
    """A request with the key of its generation is in flight."""
    LOOKING = "looking"
    """Whether it has run must be seen from the account itself."""
    SETTLING = "settling"
    """Stripe accepted it; the bank has not answered."""
    DONE = "done"


@attrs.define
class Task:
    """One account of the job."""

    account_id: str
    sent_at: int
    """The server's Unix time at which the key of this generation may first have been sent."""
    account: Account | None = None
    is_suspect: bool = False
    """Whether the journal may have lost what it knew of it."""
    state: State = State.NEW
    generation: int = 0
    attempts: int = 0
    """Requests sent in this run, 429s not counted."""
    strikes: int = 0
    """Failures of this generation in this run."""
    renewals: int = 0
    """Generations that this run has given up because of a 5xx."""
    failed_at: int | None = None
    """The server's time of the first 5xx of this generation in this run."""
    verdict: Verdict | None = None
    """How it ended."""
    error: FCError | None = None
    replayed: bool = False
    is_certain: bool = True
    """Whether, if it failed, nothing of it can have been carried out."""
    has_room: bool = True
    """Whether it counts among those that bound how far the source is read ahead."""


@attrs.frozen
class Row:
    """What the journal knows of an account."""

    account_id: str
    status: str
    """``open``, ``accepted``, or the status of its outcome."""
    generation: int
    sent_at: int
    is_certain: bool = True
    attempts: int = 0
    replayed: bool = False
    reason: str | None = None
    error: str | None = None
    """JSON, see :func:`fcasync.bulk._journal.stored_errors.dump`."""
    available_at: int | None = None


@attrs.frozen
class Now:
    """The server's time (see :class:`ServerTime`) and dice, as one step sees them."""

    earliest: int
    latest: float
    draw: float
    """A number in [0, 1)."""


# What happens to a task.


@attrs.frozen
class Admitted:
    """The journal has answered: *row* is what it knew; None means it is new, and written down."""

    row: Row | None


@attrs.frozen
class Due:
    """It is its turn to use the wire."""


@attrs.frozen
class Accepted:
    """Stripe carried the request out, now or (*replayed*) earlier."""

    account: Account
    replayed: bool


@attrs.frozen
class Limited:
    """429: nothing was carried out."""

    reason: str | None = None
    """``Stripe-Rate-Limited-Reason``."""


@attrs.frozen
class Lost:
    """No answer, or one that does not say whether the request was carried out."""

    error: FCError


@attrs.frozen
class Broken:
    """5xx: it may have been carried out. *replayed*: the stored answer of an earlier request."""

    error: FCError
    replayed: bool


@attrs.frozen
class Refused:
    """Another 4xx: it was not, and will not be, carried out."""

    error: FCError


@attrs.frozen
class Denied:
    """401 or 403: the key is bad."""

    error: FCError


@attrs.frozen
class Seen:
    """The account as it is at Stripe now."""

    account: Account


@attrs.frozen
class Unseen:
    """It could not be fetched."""

    error: FCError


@attrs.frozen
class TimedOut:
    """It has been settling for too long."""


Event = (
    Admitted
    | Due
    | Accepted
    | Limited
    | Lost
    | Broken
    | Refused
    | Denied
    | Seen
    | Unseen
    | TimedOut
)

# What is to be done about it.


@attrs.frozen
class Enqueue:
    """Let it have its turn, then step(Due)."""


@attrs.frozen
class EnqueueFirst:
    """The same, before all others."""


@attrs.frozen
class EnqueueAfter:
    """The same, after a wait of *seconds*."""

    seconds: float


@attrs.frozen
class Store:
    """Write the task down, and only when it is on disk let it have its turn."""


@attrs.frozen
class Send:
    """Send the request with *key*."""

    key: str


@attrs.frozen
class Look:
    """Fetch the account, then step(Seen) or step(Unseen)."""


@attrs.frozen
class Settle:
    """Write down that it was accepted; from now on, step(Seen) whenever the account is seen."""


@attrs.frozen
class Finish:
    """Write the outcome down, and only when it is on disk show it."""


@attrs.frozen
class Forget:
    """An earlier run, or this one, has taken care of it."""


@attrs.frozen
class Abort:
    """End the run."""

    error: FCError


Command = (
    # Send and Look answer Due, and nothing else does.
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
    | None
)
