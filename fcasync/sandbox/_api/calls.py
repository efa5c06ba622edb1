"""One request on its way through a world, and the reply that comes of it."""

import attrs
import orjson

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.faults import NO_FAULT, Fault
from fcasync.sandbox._api.messages import Answer, Request
from fcasync.sandbox._api.operations import Operation


@attrs.define
class Call:
    """A request with its time and id; the gates add what they learn about it."""

    request: Request
    now: float
    """The world's time."""
    id: str
    """``req_...``, for the Request-Id header."""
    seed: int
    """Decides what is left to chance about this request."""
    key: str | None = None
    """The idempotency key that was sent."""
    operation: Operation | None = None
    """None until the route is known, and for a URL that the API does not have."""
    target: str = ""
    """The id in the path."""
    fault: Fault = NO_FAULT
    """What goes wrong with it."""
    hold: float = 0.0
    """Real seconds for which the answer is held."""

    @property
    def account(self) -> str | None:
        """The id of the account that it is about, for the ledger."""
        if self.operation is None or not self.operation.path.startswith("accounts/"):
            return None
        return self.target

    def refuse(self, error: error_bodies.ApiError) -> Answer:
        """Return the answer that *error* becomes."""
        body = orjson.dumps(error.body(self.id, self.now))
        return Answer(error.status, body, error.headers)


@attrs.frozen
class Reply(Answer):
    """An answer with the headers of every reply, and how it is to be sent."""

    hold: float = 0.0
    """Real seconds before the answer may be complete."""
    fault: Fault = NO_FAULT
    """What the wire must do to it on the way."""
