"""For your own tests: a clock that never waits, transports without a network, and sample objects.

::

    transport = ScriptedTransport([make_account(id="fca_1"), answer(status=503)])
    client = fcasync.Client("sk_test_1", transport=transport, clock=FakeClock())

``check_transport`` tests a transport of your own (:class:`fcasync.Transport`).

See :mod:`fcasync.sandbox` for a whole server that behaves like Stripe, and
:mod:`fcasync.pytest_plugin` for fixtures.
"""

from fcasync._facts.public import show_as
from fcasync.testing._conformance import check_transport
from fcasync.testing._fakes import (
    FakeClock,
    InstantTransport,
    RecordingHook,
    ScriptedTransport,
    answer,
)
from fcasync.testing._objects import (
    make_account,
    make_authorization,
    make_event,
    make_owner,
    make_ownership,
    make_page,
    make_session,
    make_thin_event,
    make_transaction,
    signed_webhook,
)

__all__ = [
    "FakeClock",
    "InstantTransport",
    "RecordingHook",
    "ScriptedTransport",
    "answer",
    "check_transport",
    "make_account",
    "make_authorization",
    "make_event",
    "make_owner",
    "make_ownership",
    "make_page",
    "make_session",
    "make_thin_event",
    "make_transaction",
    "signed_webhook",
]

show_as(__name__, __all__, globals())
