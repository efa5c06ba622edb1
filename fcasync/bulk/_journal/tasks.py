"""The table of tasks in a journal: rows found and written by the batch."""

import sqlite3
from collections.abc import Iterable, Iterator
from operator import attrgetter

import orjson

from fcasync.bulk._journal import cells, statements
from fcasync.bulk._plan.task import OVER, Row

_by_account = attrgetter("account_id")


class Tasks:
    """The rows of a journal; each method is one statement or two, however many rows there are."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def find(self, keys: list[tuple[str, str]], over: frozenset[str]) -> dict[tuple[str, str], Row]:
        """Return the rows that have one of *keys*; OVER for those whose status is in *over*."""
        known: dict[tuple[str, str], Row] = {}
        if keys and over:
            known = dict.fromkeys(self._find_over(keys, over), OVER)
            keys = [key for key in keys if key not in known]
        if keys:
            asked = orjson.dumps(keys).decode()
            (found,) = self._database.execute(statements.FIND_TASKS, (asked,)).fetchone()
            for values in orjson.loads(found):
                row = cells.to_row(values)
                known[row.key] = row
        return known

    def _find_over(
        self, keys: list[tuple[str, str]], over: frozenset[str]
    ) -> Iterator[tuple[str, str]]:
        asked = orjson.dumps(keys).decode(), orjson.dumps(list(over)).decode()
        (found,) = self._database.execute(statements.FIND_OVER, asked).fetchone()
        return map(tuple, orjson.loads(found))

    def write_new(self, rows: Iterable[Row]) -> None:
        """Write rows of accounts that are new, most of which are nothing but intents."""
        texts = [cells.of_intent(row) for row in sorted(rows, key=_by_account)]
        intents = [text for text in texts if text is not None]
        if len(intents) < len(texts):
            self.write(rows)
        elif texts:
            values = f"[{b','.join(intents).decode()}]"
            self._database.execute(statements.WRITE_INTENTS, (values,))

    def write(self, rows: Iterable[Row]) -> None:
        """Write *rows*, in the place of those with the same keys."""
        # In the order of their keys, neighbours in the file are written together.
        texts = [cells.of_row(row) for row in sorted(rows, key=_by_account)]
        if texts:
            self._database.execute(statements.WRITE_TASKS, (f"[{b','.join(texts).decode()}]",))
