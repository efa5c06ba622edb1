"""What happens to the task of one account."""

import attrs

from fcasync.bulk._plan.task import Row
from fcasync.errors import FCError
from fcasync.models import Account


@attrs.define  # not frozen, which would triple what making one costs: every account has one
class Admitted:
    """The journal has answered: *row* is what it knew; None means the account was added."""

    row: Row | None


@attrs.frozen
class Due:
    """It is this task's turn to send a request."""


@attrs.define
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
    """No response, or one that does not say whether the request was carried out."""

    error: FCError
    is_outage: bool = False
    """Whether no request at all has been answered well for some time."""


@attrs.frozen
class Broken:
    """5xx: it may have been carried out. *replayed*: the stored response of an earlier request."""

    error: FCError
    replayed: bool
    is_outage: bool = False
    """Whether no request at all has been answered well for some time."""


@attrs.frozen
class Refused:
    """Another 4xx: it was not, and will not be, carried out."""

    error: FCError


@attrs.frozen
class Denied:
    """401 or 403: the API key is bad, or the connected account has taken its access away."""

    error: FCError


@attrs.frozen
class Barred:
    """The connected account of this task has taken its access away: nothing more is sent for it."""

    error: FCError


@attrs.frozen
class Seen:
    """The account as it is at Stripe now."""

    account: Account


@attrs.frozen
class Unseen:
    """The account could not be fetched."""

    error: FCError
    is_outage: bool = False
    """Whether no account at all could be fetched for some time."""


@attrs.frozen
class TimedOut:
    """The bank has taken too long to answer."""


Event = (
    Admitted
    | Due
    | Accepted
    | Limited
    | Lost
    | Broken
    | Refused
    | Denied
    | Barred
    | Seen
    | Unseen
    | TimedOut
)
