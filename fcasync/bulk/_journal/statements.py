"""Every SQL statement of the journal, with its purpose."""

import attrs

from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._plan.task import Row

FORMAT = 2
"""Version of the file's layout."""
APPLICATION_ID = 0x66636131
"""``fca1``: what the command ``file`` shows."""

HEADER = tuple(field.name for field in attrs.fields(Header))
STANDING = tuple(field.name for field in attrs.fields(Standing))
JOB = (*HEADER, *STANDING)
"""The cells of the job's row, in order; its checksum comes behind them."""
TASK = tuple(field.name for field in attrs.fields(Row))
"""The cells of a task's row, in order; its checksum comes behind them."""

_TASK_NAMES = ", ".join((*TASK, "checksum"))
_TASK_VALUES = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(TASK) + 1))
_JOB_NAMES = ", ".join((*JOB, "checksum"))

# Nothing of a caller's is ever part of a statement: they are made of the constants above.
# ruff: noqa: S608

CREATE = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
    """
    CREATE TABLE job (
        id TEXT, operation TEXT, features TEXT, api_key TEXT, stripe_account TEXT,
        stripe_version TEXT, created INTEGER,
        is_whole INTEGER, rows INTEGER, acknowledged INTEGER, finished_at INTEGER,
        checksum INTEGER
    )
    """,
    """
    CREATE TABLE task (
        account_id TEXT, status TEXT, generation INTEGER, sent_at INTEGER, is_certain INTEGER,
        attempts INTEGER, replayed INTEGER, reason TEXT, error TEXT, available_at INTEGER,
        seq INTEGER, stripe_account TEXT, checksum INTEGER,
        PRIMARY KEY (stripe_account, account_id)
    ) WITHOUT ROWID
    """,
)
"""Lays out a new file."""

BEGIN_JOB = f"INSERT INTO job ({_JOB_NAMES}) VALUES ({', '.join('?' * (len(JOB) + 1))})"
"""Writes the row of the job."""

READ_JOB = f"SELECT {_JOB_NAMES} FROM job"
"""Reads the row of the job, of which there is one."""

MARK_JOB = f"UPDATE job SET {', '.join(f'{name} = ?' for name in (*STANDING, 'checksum'))}"
"""Notes how far the job has come."""

# One statement for a whole batch: each statement costs a turn of the interpreter's lock, which a
# busy event loop gives away only every 5 ms.
FIND_TASKS = f"""
SELECT json_group_array(json_array({", ".join(f"task.{name}" for name in (*TASK, "checksum"))}))
FROM json_each(?) AS wanted CROSS JOIN task
ON task.stripe_account = json_extract(wanted.value, '$[0]')
AND task.account_id = json_extract(wanted.value, '$[1]')
"""
"""Finds the tasks whose keys are in a JSON list; one JSON list of their cells comes back."""

FIND_OVER = """
SELECT json_group_array(json_array(task.stripe_account, task.account_id))
FROM json_each(?) AS wanted CROSS JOIN task
ON task.stripe_account = json_extract(wanted.value, '$[0]')
AND task.account_id = json_extract(wanted.value, '$[1]')
WHERE task.status IN (SELECT value FROM json_each(?))
"""
"""Finds those whose status is in a second JSON list; a JSON list of their keys comes back."""

WRITE_TASKS = f"INSERT OR REPLACE INTO task ({_TASK_NAMES}) SELECT {_TASK_VALUES} FROM json_each(?)"
"""Writes the tasks whose cells are in a JSON list of lists."""

INTENT = TASK.index("account_id"), TASK.index("sent_at"), TASK.index("stripe_account")
"""The cells in which a new intent differs from others; its checksum comes behind them."""
_NEW = Row("", "open", 0, 0)
SAME = {name: getattr(_NEW, name) for i, name in enumerate(TASK) if i not in INTENT}
"""What the other cells of a new intent hold."""

WRITE_INTENTS = f"""
INSERT OR REPLACE INTO task ({", ".join((*(TASK[i] for i in INTENT), "checksum", *SAME))})
SELECT {", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(INTENT) + 1))}, {
    ", ".join("NULL" if value is None else repr(value) for value in SAME.values())
} FROM json_each(?)
"""
"""Writes new intents, given those cells in a JSON list of lists: half of what WRITE_TASKS costs."""

READ_TASKS = f"SELECT {_TASK_NAMES} FROM task"
"""Reads all tasks, in the order of their keys."""

READ_OUTCOMES_AFTER = f"SELECT {_TASK_NAMES} FROM task WHERE seq > ? ORDER BY seq"
"""Reads the tasks whose outcomes have higher numbers, in the order in which they were finished."""

LAST_OUTCOME = "SELECT COALESCE(MAX(seq), 0) FROM task"
"""Finds the number of the last outcome."""

COUNT_TENANTS = """
SELECT stripe_account, status, COUNT(*) FROM task WHERE stripe_account <> ''
GROUP BY stripe_account, status
"""
"""Counts the tasks of each connected account and status."""

COUNT_TASKS = "SELECT status, reason, COUNT(*) FROM task GROUP BY status, reason"
"""Counts the tasks of each status and reason."""
