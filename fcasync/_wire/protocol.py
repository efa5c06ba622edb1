"""What the engine needs of the network: the contract of a transport."""

from typing import Any, Protocol

from fcasync._rules.request import Answer, Request


class Transport(Protocol):
    """Sends requests; for those who bring another one than aiohttp (``Client(transport=...)``).

    A transport carries one request and its whole answer, and knows nothing of Stripe: retries,
    rate limits, deadlines and JSON are the client's business. What a client promises (a call never
    takes effect twice, and says whether it may have taken effect) rests on these rules, which
    ``await fcasync.testing.check_transport(...)`` checks against a local server:

    * **Send once.** Any status is an answer. It repeats nothing by itself, follows no redirect,
      keeps no cookies, and asks neither ``.netrc`` nor the environment where to send a key.
    * **Send what is there**: ``request.method``, ``request.url`` and ``request.body`` (None for a
      GET) byte for byte, and ``request.headers`` with nothing of its own but ``Host``,
      ``Content-Length`` and ``Connection``.
    * **Return whole answers.** The body is read to its end and decompressed. One that ends early,
      also inside gzip, is an APIConnectionError.
    * **Bound the body**, after decompression (``max_response_bytes`` is for fcasync's own
      transport), and give up with a ProtocolError as soon as it is too large.
    * **Say whether it was sent.** ``may_have_executed`` is ``request.has_effect`` as soon as bytes
      of the request may have left, and False when it was not connected.
    * **Leave nothing behind.** When :meth:`send` ends in any way, cancellation included, nothing of
      the request is at work any more, and the connection is used again only if its answer was read
      to the end: else the next caller would get this one's answer. CancelledError is passed on.
    * **Show no secret.** ``Authorization`` and a hook's headers are in ``request.headers``: no log
      line, message or cause may hold them.

    Calls come from any number of tasks at a time, from any number of event loops, and in a child
    after a fork. A transport may have two more attributes: ``max_connections``, which bounds the
    requests in flight of bulk jobs, and ``async def is_traced(self) -> bool``, which says whether
    its HTTP library records an OpenTelemetry span for each request, so that fcasync does not.
    """

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Send *request* once and return the whole answer.

        Args:
            request: What to send; not to be changed.
            timeout: Seconds for all of it, from getting a connection to the last byte.

        Returns:
            The status, the headers, looked up without regard to case, and the body.

        Raises:
            APITimeoutError: *timeout* passed.
            APIConnectionError: No whole answer arrived; ``retryable`` unless a repetition cannot
                help, such as after a bad certificate.
            ProtocolError: The answer is not HTTP, or larger than is allowed.
        """

    async def aclose(self) -> None:
        """Close what belongs to the running loop; it may be called more than once.

        A later :meth:`send` opens it again.
        """
