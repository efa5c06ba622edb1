"""Accounts, balances and transactions in your own database, kept in step with Stripe.

::

    async with fcasync.Client() as client, Mirror("sqlite:///bank.db") as mirror:
        report = await mirror.sync(client, client.accounts.list())

It needs the extra ``mirror``, and for PostgreSQL the extra ``postgres``. The page
``fcasync/guide/mirror.md`` leads from linking an account to a table that stays true.
"""

try:
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError as _error:
    raise ImportError(
        f"fcasync.mirror needs {_error.name}: pip install 'fcasync[mirror]'"
    ) from _error

from fcasync._facts.public import show_as
from fcasync.mirror._errors import MirrorError
from fcasync.mirror._inbox import Inbox
from fcasync.mirror._mirror import Mirror
from fcasync.mirror._outcome import SyncOutcome, SyncStatus
from fcasync.mirror._report import SyncReport
from fcasync.mirror._run import SyncRun
from fcasync.mirror._tables import SCHEMA_VERSION, metadata

__all__ = [
    "SCHEMA_VERSION",
    "Inbox",
    "Mirror",
    "MirrorError",
    "SyncOutcome",
    "SyncReport",
    "SyncRun",
    "SyncStatus",
    "metadata",
]

show_as(__name__, __all__, globals())
