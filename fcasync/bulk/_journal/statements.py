"""Every SQL statement of the journal, with its purpose."""

import attrs

from fcasync.bulk._plan.task import Row

FORMAT = 1
"""Version of the file's layout."""
APPLICATION_ID = 0x66636131
"""``fca1``: what the command ``file`` shows."""

COLUMNS = tuple(field.name for field in attrs.fields(Row))
"""The cells of a task's row, in order; its checksum comes behind them."""
_NAMES = ", ".join((*COLUMNS, "checksum"))
_VALUES = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(COLUMNS) + 1))

# Nothing of a caller's is ever part of a statement: they are made of the constants above.
# ruff: noqa: S608

CREATE = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE job (
    id TEXT, operation TEXT, features TEXT, api_key TEXT, stripe_account TEXT, stripe_version TEXT,
    created INTEGER, is_whole INTEGER, rows INTEGER, checksum INTEGER
);
CREATE TABLE task (
    account_id TEXT PRIMARY KEY, status TEXT, generation INTEGER, sent_at INTEGER,
    is_certain INTEGER, attempts INTEGER, replayed INTEGER, reason TEXT, error TEXT,
    available_at INTEGER, checksum INTEGER
) WITHOUT ROWID;
"""
"""Lays out a new file."""

BEGIN_JOB = "INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""Writes the row of the job."""

READ_JOB = "SELECT * FROM job"
"""Reads the row of the job, of which there is one."""

MARK_JOB = "UPDATE job SET is_whole = ?, rows = ?, checksum = ?"
"""Notes whether the file was closed, and how many tasks it holds."""

# One statement for a whole batch: each statement costs a turn of the interpreter's lock, which a
# busy event loop gives away only every 5 ms.
FIND_TASKS = f"""
SELECT json_group_array(json_array({_NAMES})) FROM task
WHERE account_id IN (SELECT value FROM json_each(?))
"""
"""Finds the tasks whose ids are in a JSON list; one JSON list of their cells comes back."""

WRITE_TASKS = f"INSERT OR REPLACE INTO task ({_NAMES}) SELECT {_VALUES} FROM json_each(?)"
"""Writes the tasks whose cells are in a JSON list of lists."""

READ_TASKS = f"SELECT {_NAMES} FROM task"
"""Reads all tasks, in the order of their ids."""

COUNT_TASKS = "SELECT status, reason, COUNT(*) FROM task GROUP BY status, reason"
"""Counts the tasks of each status and reason."""
