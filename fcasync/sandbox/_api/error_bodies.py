"""Stripe's error bodies, and the errors that become them."""

from typing import Any

DOCS = "https://docs.stripe.com"
_LOGS = "https://dashboard.stripe.com/test/logs"


def plain(text: str) -> str:
    """Return *text* with U+FFFD for the halves of characters that raw bytes on a wire become."""
    return (
        text
        if text.isascii()
        else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: The HTTP status.
        headers: Headers that only this error has.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message: str = plain(message)
        self.type = type
        self.code = code
        self.param: str | None = param and plain(param)
        self.headers: dict[str, str] = headers or {}

    def body(self, request_id: str, now: float) -> dict[str, Any]:
        """Return the body as Stripe writes it; absent parts are left out, never null."""
        parts = {
            "code": self.code,
            "doc_url": self.code and f"{DOCS}/error-codes/{self.code.replace('_', '-')}",
            "message": self.message,
            "param": self.param,
            "request_log_url": f"{_LOGS}/{request_id}?t={int(now)}",
            "type": self.type,
        }
        return {"error": {name: part for name, part in parts.items() if part is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """Return a 400 about one parameter."""
    return ApiError(400, message, param=param, code=code)


def missing(param: str) -> ApiError:
    """Return a 400: a required parameter was not sent."""
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def unknown(param: str) -> ApiError:
    """Return a 400: a parameter that the operation does not have."""
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def empty(param: str) -> ApiError:
    """Return a 400: an empty string where a value is needed."""
    return invalid(
        f"'{param}' is an empty string; give it a value.", param, "parameter_invalid_empty"
    )


def no_such(what: str, text: str, param: str, *, status: int = 400) -> ApiError:
    """Return the error for an id that names nothing: 404 in a path, 400 in a parameter."""
    message = f"No such {what}: '{text[:200]}'"
    return ApiError(status, message, param=param, code="resource_missing")


def unrecognized(method: str, path: str) -> ApiError:
    """Return the 404 for a URL or method that the API does not have."""
    return ApiError(404, f"Unrecognized request URL ({method}: {path[:500]}). See {DOCS}/api.")


def rate_limited(reason: str) -> ApiError:
    """Return the 429 for an exhausted bucket; *reason* goes to Stripe-Rate-Limited-Reason."""
    return ApiError(
        429,
        f"Too many requests ({reason}). Slow down and retry with exponential backoff.",
        code="rate_limit",
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def failure(status: int) -> ApiError:
    """Return the error that a scripted *status* is answered with."""
    match status:
        case 401:
            return ApiError(401, "Invalid API Key provided: sk_test_****", code="api_key_invalid")
        case 403:
            return ApiError(403, "This key lacks the permissions for this endpoint.")
        case 409:
            return ApiError(409, "Another request holds this object.", code="lock_timeout")
        case 429:
            return rate_limited("global-rate")
        case _ if status >= 500:
            return ApiError(status, "An unknown error occurred.", type="api_error")
    return ApiError(status, "This request was refused by a scripted fault.")
