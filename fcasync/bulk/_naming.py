"""Jobs that have a name: a process that lost its journal goes on with them all the same."""

import hashlib
import math
from datetime import datetime

from fcasync.errors import InvalidArgumentError, describe

LONGEST = 200
"""Characters of a name."""
LATEST = 253_402_300_799
"""The last second of the year 9999, in Unix time."""


def job_id(name: object) -> str:
    """Return the id of the job called *name*: the same in every process.

    Raises:
        InvalidArgumentError: It is not 1 to 200 printable characters.
    """
    if isinstance(name, str) and 0 < len(name) <= LONGEST and name.isprintable():
        return hashlib.sha256(b"fcasync job " + name.encode()).hexdigest()[:32]
    raise InvalidArgumentError(
        f"job must be 1 to {LONGEST} printable characters, not {describe(name)}"
    )


def instant(since: object) -> int:
    """Return the Unix time of *since*.

    Raises:
        InvalidArgumentError: It is neither an aware datetime nor whole Unix seconds, or is before
            1970.
    """
    if isinstance(since, datetime) and since.utcoffset() is not None:
        # Not by way of astimezone, which knows no year 0 and no year 10000.
        seconds = math.floor(since.timestamp())
    elif isinstance(since, int) and not isinstance(since, bool):
        seconds = since
    else:
        raise InvalidArgumentError(
            f"since must be an aware datetime or whole Unix seconds, not {describe(since)}"
        )
    if seconds < 0:
        raise InvalidArgumentError(f"since must be 1970 or later, not {describe(since)}")
    # Any time in the future is refused when the server has said what time it is.
    return min(seconds, LATEST)


def named(job: object, since: object) -> tuple[str | None, int | None]:
    """Return id and Unix time of a job that may have a name.

    Raises:
        InvalidArgumentError: Only one of them is given, or it cannot be used.
    """
    if job is None and since is None:
        return None, None
    if since is None:
        raise InvalidArgumentError(
            "job= needs since=, the time before which nothing of this job was sent: without it a "
            "name that is used again within a day would refresh nothing"
        )
    if job is None:
        raise InvalidArgumentError("since= belongs to job=, the name of the job")
    return job_id(job), instant(since)
