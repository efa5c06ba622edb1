"""The client for code without ``await``: Django, Celery and scripts.

    with fcasync.blocking.Client() as client:
        for account in client.accounts.list():
            print(account.institution_name, account.last4)

There is one engine, the asynchronous one: a blocking client runs it on an event loop in a thread of
its own and waits for the results. Types that have no ``await`` in them are shared with ``fcasync``.
"""

# The floors inside: _generated/ (client -> resources, from the signatures of the asynchronous ones)
# -> _client, _run -> _desk -> _lists -> _facade -> _loops (starts a loop, survives forks)
# -> _loop (one loop, one thread) -> _inside (what happens on it) -> _job (one call, and the thread
# that waits).

from fcasync._facts.public import show_as
from fcasync.blocking._generated.client import Client
from fcasync.blocking._lists import Paginator, TransactionSync
from fcasync.blocking._run import BulkRun

__all__ = ["BulkRun", "Client", "Paginator", "TransactionSync"]

show_as("fcasync.blocking", __all__, globals())
