"""From the body of a request to the answer that Stripe needs: what ready-made endpoints share."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from fcasync._facts.clock import Clock
from fcasync._facts.frames import forgets_frames
from fcasync._facts.redact import printable
from fcasync.errors import EventInProgress, SignatureVerificationError, WebhookPayloadError
from fcasync.models.thin_event import AnyEvent
from fcasync.webhooks._verify import MAX_BODY, check_secrets, check_tolerance, construct_event

log = logging.getLogger("fcasync")

Dispatch: TypeAlias = Callable[[AnyEvent], Awaitable[bool]]


@attrs.frozen
class Answer:
    """What to respond with: a status, and a few words for Stripe's dashboard."""

    status: int
    words: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers, apart from those of the framework."""
        allow = {"Allow": "POST"} if self.status == 405 else {}
        return {"Content-Type": "text/plain; charset=utf-8", **allow}


NOT_POST: Final = Answer(405, "webhooks are sent by POST")
TOO_LARGE: Final = Answer(413, f"a webhook has at most {MAX_BODY} bytes")
CUT_SHORT: Final = Answer(400, "the body ended early")

_REPORTED: Final = 100
"""Of so many refusals, one is a warning."""


class Endpoint:
    """Verifies what comes, passes it to a router, and says how that went."""

    @forgets_frames
    def __init__(
        self,
        dispatch: Dispatch,
        secret: str | Sequence[str],
        tolerance: float,
        clock: Clock,
    ) -> None:
        """Make an endpoint.

        Args:
            dispatch: Handles an event; that of an `EventRouter`.
            secret: The endpoint's ``whsec_...`` secret, or several while one replaces another.
            tolerance: The most seconds between Stripe's clock and this one.
            clock: The source of the current time.

        Raises:
            InvalidArgumentError: A secret or the tolerance is invalid.
        """
        self._secrets = check_secrets(secret)
        self._tolerance = check_tolerance(tolerance)
        self._dispatch, self._clock = dispatch, clock
        self._refused = 0  # deliveries that were not Stripe's

    def __repr__(self) -> str:
        return "<webhook endpoint>"

    async def answer(self, body: bytes, signatures: Iterable[str]) -> Answer:
        """Handle one delivery.

        Args:
            body: The raw body, of at most MAX_BODY bytes.
            signatures: The values of the ``Stripe-Signature`` headers; there should be one.
        """
        try:
            event = self._verified(body, signatures)
        except (SignatureVerificationError, WebhookPayloadError) as error:
            # A wrong secret refuses every event: the first one is worth a look, and each hundredth.
            level = logging.WARNING if self._refused % _REPORTED == 0 else logging.INFO
            self._refused += 1
            log.log(level, "webhook refused: %s", error)
            is_forged = isinstance(error, SignatureVerificationError)
            return Answer(400, "bad signature" if is_forged else "not an event")
        del body, signatures  # a valid signature is for no traceback with local variables
        try:
            is_handled = await self._dispatch(event)
        except EventInProgress:
            return Answer(409, "this event is still being handled")
        except Exception:  # whatever it is: Stripe is to try again, and the log has the reason
            shown = printable(f"{event.id} ({event.type})", 200)
            log.exception("webhook event %s was not handled; Stripe will deliver it again", shown)
            return Answer(500, "handling this event failed")
        return Answer(200, "handled" if is_handled else "nothing to do")

    def _verified(self, body: bytes, signatures: Iterable[str]) -> AnyEvent:
        header = ",".join(signatures)  # two headers have two timestamps, and are refused
        return construct_event(body, header, self._secrets, self._tolerance, clock=self._clock)
