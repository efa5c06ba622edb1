"""An async-first client for Stripe Financial Connections.

    async with fcasync.Client() as client:
        async for account in client.accounts.list():
            print(account.institution_name, account.last4)

See also :mod:`fcasync.blocking` for code without ``await``, :mod:`fcasync.webhooks`,
:mod:`fcasync.bulk`, :mod:`fcasync.hooks`, :mod:`fcasync.testing` and :mod:`fcasync.sandbox`; and,
each with an extra of its name, :mod:`fcasync.cluster`, :mod:`fcasync.mirror` and
:mod:`fcasync.otel`.
"""

# The house, from the top: a module imports from its own floor or below (tests/test_floors.py).
#
#   7  faces      __main__  pytest_plugin  cli/  guide/ (pages, no code)
#                 blocking/, from the top: _generated/ (by signatures) -> _client, _run -> _desk
#                            -> _lists -> _facade -> _loops -> _loop -> _inside -> _job
#   6  engines    _exports (the names of the entrance)
#                 otel/: names -> spans, gauges -> hook -> instrumentor
#                 testing/: fakes, objects; conformance (of transports) -> bench -> raw server
#                 cluster/: _driver -> _pump -> _dask -> (on workers) _lane -> _remote
#                 mirror/: tables, rows, packed, steps -> pages, upserts, lookups, database
#                          -> store (groups writes) -> writing -> reading (one account)
#                          -> intake (the source) -> work -> run
#                          nudges -> inbox (events, for the intake)
#   5  client     client
#   4  verbs      resources/  webhooks/ (router; endpoints: asgi, aiohttp; seen-stores)
#                 bulk/: _plan/ (table; admission; decisions: when a key is too old, ...; brake)
#                        -> _journal/ -> _work/ (from the source to outcomes)
#   3  _wire/     engine -> call -> attempts; line (waits for slots)  reporting
#                 retries (decides about each retry; tenacity)
#                 protocol (of transports); transport (aiohttp) -> exchange, documented, body, ...
#                 hooks: everywhere -> reporting -> announcing (runs); acting (added headers); reads
#   -----------   above: awaits    below: pure   -----------
#   2  _rules/    checks -> urls  form  request  raw  parse  interpret  retry_policy  cursor  limits
#                 acting
#                 limiter -> pace -> rate -> slots, learner (learns from 429s); in_flight
#      webhooks/  _verify -> _read
#   1  models/    Stripe's objects, and _convert, the one file that imports cattrs
#   0  _facts/    clock  collector  frames  guide  html  locks  money  public  random_keys
#                 redact  signature  text
#      errors  hooks
#
#   The second tower, sandbox/: _bank/ -> _api/ -> _server/. It shares only facts and the form
#   encoding with the client, so that a misread field cannot pass on both sides.

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fcasync._version import __version__ as __version__

_ROOMS: Final = (
    *("blocking", "bulk", "cluster", "errors", "hooks", "mirror", "models", "otel"),
    *("sandbox", "testing", "webhooks"),
)
"""Public modules, which are attributes without an import of their own."""

if TYPE_CHECKING:
    from fcasync import blocking as blocking
    from fcasync import bulk as bulk
    from fcasync import errors as errors
    from fcasync import hooks as hooks
    from fcasync import models as models
    from fcasync import sandbox as sandbox
    from fcasync import testing as testing
    from fcasync import webhooks as webhooks

    # mypy does not look through a star behind a star, hence three of them.
    from fcasync._exports import *  # noqa: F403 - the __all__ of each is the list
    from fcasync._exports import __all__ as __all__
    from fcasync.errors import *  # noqa: F403
    from fcasync.models import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        # Everything is imported when the first name is used: pytest imports the package for its
        # plugin in every run, and should not have to wait for aiohttp.
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module 'fcasync' has no attribute {name!r}")
        if name in _ROOMS:
            return import_module(f"fcasync.{name}")
        exports = import_module("fcasync._exports")
        if name != "__all__" and name not in exports.__all__:
            raise AttributeError(f"module 'fcasync' has no attribute {name!r}")
        value = getattr(exports, name)
        for public in exports.__all__:
            globals().setdefault(public, getattr(exports, public))
        return value

    def __dir__() -> list[str]:
        return [*_ROOMS, *import_module("fcasync._exports").__all__]
