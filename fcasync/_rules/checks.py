"""Allow-lists for what a caller hands in: everything else is refused before any I/O.

The rules are stricter than Stripe's schema (whose ``maxLength`` is 5000), because what they let
through goes into a URL or a header unchanged.
"""

import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from fcasync._facts.redact import Secret
from fcasync.errors import InvalidArgumentError, describe

T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_API_KEY = re.compile(r"(?:sk|rk)_(?:org_)?(?:test|live)_[A-Za-z0-9_]{1,500}", re.ASCII)
_LIVE_KEY = re.compile(r"[a-z]{2}_(?:org_)?live_")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,255}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]{0,8190}[\x21-\x7e])?")

_MAX_FLOAT = sys.float_info.max
_COLLECTIONS = (list, tuple, set, frozenset, Sequence)  # the cheap questions first

OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "stripe-account",
        "stripe-context",
        "stripe-version",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that fcasync or HTTP itself looks after; an argument of their own sets them, where one
may."""


def object_id(value: object, name: str) -> str:
    """Return the id that *value* is, or that it has in its ``id``.

    Raises:
        InvalidArgumentError: It is not an exact string of 1 to 255 letters, digits, ``_`` and
            ``-``.
    """
    if type(value) is not str:
        value = getattr(value, "id", value)
    if type(value) is str and _ID.fullmatch(value):
        return value
    raise InvalidArgumentError(
        f"{name} must be an id: 1 to 255 ASCII letters, digits, '_' or '-', not {describe(value)}"
    )


def page_token(value: object) -> str:
    """Return *value*; it must be the text that names a page of a v2 list."""
    if type(value) is str and value:
        return value
    raise InvalidArgumentError(
        f"page must be the next_cursor of a page, or the cursor of an error, not {describe(value)}"
    )


def idempotency_key(value: object) -> str:
    """Return *value*; it must be 1 to 255 printable ASCII characters without blanks."""
    if type(value) is str and _IDEMPOTENCY_KEY.fullmatch(value):
        return value
    raise InvalidArgumentError(
        "idempotency_key must be 1 to 255 printable ASCII characters without blanks, "
        f"not {describe(value)}; None lets fcasync make one"
    )


def api_key(value: object) -> Secret:
    """Return the key, wrapped so that it cannot be shown; messages never echo it."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(
            "no API key; pass api_key= or set the environment variable STRIPE_API_KEY"
        )
    if any(char.isspace() for char in value):
        raise InvalidArgumentError("whitespace in api key; was it read from a file with a newline?")
    if value.startswith("pk_"):
        raise InvalidArgumentError(
            "this is a publishable key (pk_...); Financial Connections needs a secret (sk_...) "
            "or restricted (rk_...) key"
        )
    if not _API_KEY.fullmatch(value):
        raise InvalidArgumentError(
            "api key does not look like a Stripe key (sk_test_..., sk_live_..., rk_test_... or "
            "rk_live_...); is it still a placeholder?"
        )
    return Secret(str.__str__(value))


def is_live(key: Secret) -> bool:
    """Return whether *key* works on real money."""
    return _LIVE_KEY.match(key.reveal()) is not None


def header_value(value: object, name: str) -> str:
    """Return *value*; it must be printable ASCII that neither starts nor ends with a blank.

    It may be a token, so a message never echoes it.
    """
    if isinstance(value, str) and _HEADER_VALUE.fullmatch(value):
        return str.__str__(value)  # what was checked, whatever a subclass says of itself
    if isinstance(value, str):
        raise InvalidArgumentError(
            f"{name} must be printable ASCII text that neither starts nor ends with a blank; "
            "was it read from a file with a newline?"
        )
    raise InvalidArgumentError(f"{name} must be printable ASCII text, not a {type(value).__name__}")


def extra_headers(headers: object) -> dict[str, str]:
    """Return a copy of *headers*, each checked; fcasync's own headers cannot be overridden.

    Names are spelt ``Like-This`` in the copy: two spellings of one name are one header.
    """
    if not isinstance(headers, Mapping):
        raise InvalidArgumentError(
            f"extra_headers must be a mapping of names to values, not a {type(headers).__name__}"
        )
    return {
        header_name(name, "extra_headers"): header_value(text, f"extra_headers[{name!r}]")
        for name, text in headers.items()
    }


def header_name(name: object, where: str, own: frozenset[str] = OWN_HEADERS) -> str:
    """Return *name*, spelt ``Like-This``; it must be legal, and not one of *own*, however spelt."""
    if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
        raise InvalidArgumentError(f"{where}: {describe(name)} is not a header name")
    plain = str.__str__(name)  # what was checked, whatever a subclass says of itself
    if plain.lower() in own:
        raise InvalidArgumentError(f"{where}: fcasync writes {plain} itself; leave it out")
    return plain.title()


def seconds(value: object, name: str) -> float:
    """Return *value* as a float; it must be a finite number above zero."""
    # Beyond the largest float an integer cannot be converted; in seconds that is for ever.
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_FLOAT:
        return float(value)
    raise InvalidArgumentError(f"{name} must be a number of seconds above 0, not {describe(value)}")


def age(value: object, name: str) -> float:
    """Return *value*, a timedelta or a number, as seconds above zero."""
    try:
        return seconds(value.total_seconds() if isinstance(value, timedelta) else value, name)
    except InvalidArgumentError:
        sentence = f"{name} must be a timedelta, such as timedelta(hours=12), or seconds, above 0"
        raise InvalidArgumentError(f"{sentence}, not {describe(value)}") from None


def count(value: object, name: str) -> int:
    """Return *value*; it must be a whole number above zero."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise InvalidArgumentError(f"{name} must be a whole number above 0, not {describe(value)}")


def tls_context(context: object, key: Secret) -> ssl.SSLContext | None:
    """Return *context*: TLS 1.2 or later, and with a live key none that trusts everybody."""
    if context is None:
        return None
    if not isinstance(context, ssl.SSLContext):
        raise InvalidArgumentError(
            f"ssl must be an ssl.SSLContext or None, not {describe(context)}; "
            "there is no switch that turns certificate checks off"
        )
    if not _rules_old_tls_out(context):
        raise InvalidArgumentError("ssl: set context.minimum_version to TLSv1_2 or later")
    if context.verify_mode == ssl.CERT_NONE and is_live(key):
        raise InvalidArgumentError(
            "ssl: a live key is not sent over TLS without certificate checks"
        )
    return context


def _rules_old_tls_out(context: ssl.SSLContext) -> bool:
    """Return whether *context* never speaks TLS 1.0 or 1.1.

    The Pythons of Debian and Fedora leave ``minimum_version`` to OpenSSL's policy, which says
    MINIMUM_SUPPORTED; at security level 1 and above OpenSSL 3 rules the old versions out
    (https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/).
    """
    if context.minimum_version == ssl.TLSVersion.MINIMUM_SUPPORTED:
        return ssl.OPENSSL_VERSION_INFO >= (3,) and context.security_level >= 1
    return context.minimum_version >= ssl.TLSVersion.TLSv1_2


def instance(value: object, kind: type[T], name: str) -> T:
    """Return *value*; it must be of type *kind*."""
    if isinstance(value, kind):
        return value
    raise InvalidArgumentError(f"{name} must be a {kind.__name__}, not {describe(value)}")


def expand(values: object) -> None:
    """Check that *values*, if there are any, is a list of the names of fields."""
    if values is None or (isinstance(values, _COLLECTIONS) and not isinstance(values, str | bytes)):
        return
    raise InvalidArgumentError(
        f"expand must be a list such as ['ownership'], not {describe(values)}"
    )


def features(values: object, name: str = "features") -> list[str]:
    """Return *values* as a list; it must be a non-empty sequence of words.

    The words themselves are Stripe's to judge: it adds features without a new version.
    """
    if isinstance(values, str) or not isinstance(values, _COLLECTIONS):
        raise InvalidArgumentError(f"{name} must be a list of names, not {describe(values)}")
    words = sorted(values) if isinstance(values, set | frozenset) else list(values)
    for word in words or [None]:
        if not (isinstance(word, str) and word):
            raise InvalidArgumentError(
                f"{name} must hold at least one name, and no empty one, not {describe(values)}"
            )
    return words


def page_size(limit: object) -> int | None:
    """Return *limit*; it must be a whole number from 1 to 100, or None for Stripe's default."""
    if limit is None:
        return None
    if isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= 100:
        return limit
    raise InvalidArgumentError(f"limit must be a whole number from 1 to 100, not {describe(limit)}")


def at_most_one(params: Mapping[str, Any], *names: str) -> None:
    """Check that no two of *names* are given together.

    Raises:
        InvalidArgumentError: Two of them are not None.
    """
    given = [name for name in names if params.get(name) is not None]
    if len(given) > 1:
        raise InvalidArgumentError(f"give only one of {' and '.join(given)}")
