"""Journals as the first version of fcasync wrote them: read as they are, resumed as new ones."""

from collections.abc import Sequence
from typing import Any

from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._journal.statements import HEADER
from fcasync.bulk._plan.task import Row
from fcasync.bulk._plan.verdicts import CLOCK_SLACK

FORMAT = 1
TASK = (
    "account_id",
    "status",
    "generation",
    "sent_at",
    "is_certain",
    "attempts",
    "replayed",
    "reason",
    "error",
    "available_at",
)

READ_JOB = "SELECT * FROM job"
"""Reads the row of the job: the header, whether it was closed, how many tasks, a checksum."""
READ_TASKS = f"SELECT {', '.join(TASK)}, checksum FROM task"  # noqa: S608 - made of constants
"""Reads all tasks, in the order of their ids."""
SET_ASIDE = ("ALTER TABLE task RENAME TO task_1", "ALTER TABLE job RENAME TO job_1")
"""Makes room for the tables of the new layout."""
READ_SET_ASIDE = f"SELECT {', '.join(TASK)}, checksum FROM task_1"  # noqa: S608 - made of constants
"""Reads all tasks after that."""
DROP = ("DROP TABLE task_1", "DROP TABLE job_1")
"""Removes what was set aside."""


def to_job(values: Sequence[Any]) -> tuple[Header, Standing]:
    """Return what the job's row says; its outcomes were not numbered."""
    *header, is_whole, rows, _ = values
    return (
        Header(**dict(zip(HEADER, header, strict=True))),
        Standing(is_whole=bool(is_whole), rows=rows),
    )


def to_row(values: Sequence[Any]) -> Row:
    """Return the row of *values* as it would be written now."""
    known = dict(zip(TASK, values, strict=False))
    known["is_certain"] = bool(known["is_certain"])
    known["replayed"] = bool(known["replayed"])
    if known["status"] == "accepted":
        # It dated from its intent; what it waits for may be dated a little earlier.
        known |= {"status": "settling", "sent_at": known["sent_at"] - CLOCK_SLACK}
    return Row(**known)
