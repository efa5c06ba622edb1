"""A span that is the current one from its start to its end."""

from contextlib import suppress
from contextvars import Token

from opentelemetry import context, trace

from fcasync.otel import _names


class OpenSpan:
    """A span that has not ended, and what was current before it."""

    __slots__ = ("_token", "span")

    def __init__(self, span: trace.Span, *, mark: str | None = None) -> None:
        """Make *span* the current one.

        Args:
            span: A span that has begun.
            mark: A key of the context that everything below the span finds set.
        """
        self.span = span
        current = trace.set_span_in_context(span)
        if mark is not None:
            current = context.set_value(mark, True, current)
        self._token: Token[context.Context] = context.attach(current)

    def end(self, error: BaseException | None, attributes: _names.Attributes | None = None) -> None:
        """End the span, and make current what was so before."""
        # In another context, as when the garbage collector closes a call, there is nothing to do.
        with suppress(ValueError):
            self._token.var.reset(self._token)
        self.close(error, attributes)

    def close(
        self, error: BaseException | None = None, attributes: _names.Attributes | None = None
    ) -> None:
        """End the span alone, from wherever."""
        if attributes:
            self.span.set_attributes(dict(attributes))
        if error is not None:
            self.span.set_attributes(dict(_names.of_error(error)))
            self.span.set_status(trace.StatusCode.ERROR, _names.description(error))
        self.span.end()
