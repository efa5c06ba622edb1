"""The data of the plan: a job, the task of one account, and what the journal knows of it."""

from enum import Enum

import attrs

from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._plan.verdicts import Verdict
from fcasync.errors import FCError
from fcasync.models import Account


@attrs.frozen(kw_only=True)
class Job:
    """What is to be done to every account."""

    id: str
    verb: Verb
    features: tuple[str, ...]
    """Sorted, so that another order is the same job."""
    seq: int = 0
    """Number of the last outcome of earlier runs; this run gives higher ones."""
    wait: bool = False
    retry_failed: bool = False
    max_age: float | None = None
    """Seconds; what was refreshed more recently is not refreshed again. None: it always is."""
    dry_run: bool = False
    """Whether nothing is to be sent."""


class State(Enum):
    """Where the task of one account stands."""

    NEW = "new"
    """Read from the source; the journal has not been asked yet."""
    ASKING = "asking"
    """Nothing was sent: the account itself is fetched first, to see whether anything need be."""
    OPEN = "open"
    """Its intent is on disk; nothing is in flight."""
    SENDING = "sending"
    """A request with the key of its generation is in flight."""
    LOOKING = "looking"
    """Only the account itself can show whether the request was carried out."""
    JUDGING = "judging"
    """Stripe refused it; the account itself shows how it ends."""
    SETTLING = "settling"
    """Stripe accepted it; the bank has not answered."""
    DONE = "done"


@attrs.define
class Task:
    """One account of the job."""

    account_id: str
    sent_at: int
    """The server's Unix time at which the key of this generation may first have been sent; once
    accepted, the time at which the refresh that is waited for was attempted at the earliest."""
    account: Account | None = None
    is_suspect: bool = False
    """Whether the journal may have lost what it knew of it."""
    state: State = State.NEW
    generation: int = 0
    begun_with: int = 0
    """The generation with which this run began anew: how those before it ended is known."""
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
    refusal: FCError | None = None
    """The 4xx that answered the request."""
    replayed: bool = False
    is_certain: bool = True
    """Whether, if it failed, nothing of it can have been carried out."""
    stripe_account: str = ""
    """The connected account that it belongs to; empty for the job's own."""


@attrs.define  # not frozen, which would triple what making one costs
class Row:
    """What the journal knows of an account."""

    account_id: str
    status: str
    """``open``, ``settling``, or the status of its outcome."""
    generation: int
    sent_at: int
    is_certain: bool = True
    attempts: int = 0
    replayed: bool = False
    reason: str | None = None
    error: str | None = None
    """JSON, see :func:`fcasync.bulk._journal.stored_errors.dump`."""
    available_at: int | None = None
    seq: int = 0
    """Outcomes are numbered from 1 in the order in which they are finished; 0 for none."""
    stripe_account: str = ""
    """The connected account that it belongs to; empty for the job's own."""

    @property
    def key(self) -> tuple[str, str]:
        """What distinguishes it from all other rows of the journal."""
        return self.stripe_account, self.account_id


OVER = Row("", "over", 0, 0)
"""Stands for the row of an account that this run has nothing to do with any more: most accounts of
a job that is resumed are like that, and their rows need not be read."""


@attrs.define
class Now:
    """The server's time (see :class:`ServerTime`) and a random number, as one step sees them."""

    earliest: int
    latest: float
    draw: float
    """A number in [0, 1)."""
