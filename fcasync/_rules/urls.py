"""Which URLs a client may be given: where an API key goes is decided here."""

import re
from urllib.parse import SplitResult, urlsplit

from fcasync._facts.redact import Secret
from fcasync._rules.checks import is_live
from fcasync.errors import InvalidArgumentError, describe

_NAME = r"(?=.{1,253}$)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*"
_HOST = re.compile(rf"{_NAME}|(?=.*:)[0-9A-Fa-f:.]{{2,45}}", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?", re.ASCII)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK = re.compile(rf"localhost|127(?:\.{_OCTET}){{3}}|::1", re.IGNORECASE | re.ASCII)


def base_url(value: object, key: Secret) -> str:
    """Return the URL without a trailing slash.

    HTTPS anywhere; plain HTTP only to this machine, and never with a live key. Do not let a
    base URL come from untrusted input: the API key is sent to it.

    Raises:
        InvalidArgumentError: Another scheme, user info, a query, a fragment, dots in the path, a
            host that is not ASCII, or plain HTTP where it is not allowed.
    """
    if not isinstance(value, str):
        raise InvalidArgumentError(f"base_url must be a string, not a {type(value).__name__}")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts = None  # its sentence, and so its error, may quote a password
    if parts is None:
        raise InvalidArgumentError("base_url has an invalid host or port")
    if fault := _base_url_fault(value, parts, key):
        raise InvalidArgumentError(f"base_url {_without_secrets(value)} {fault}")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def _without_secrets(url: str) -> str:
    """Return *url* for a message: without user info, query and fragment, which hold passwords."""
    before, at, rest = url.rpartition("@")
    scheme, colon, _ = before.partition("://")
    shown = re.sub(r"[?#].*", "…", rest, flags=re.DOTALL)
    return describe(f"{scheme}{colon}…@{shown}" if colon else f"…@{shown}" if at else shown)


def _base_url_fault(value: str, parts: SplitResult, key: Secret) -> str | None:
    host = parts.hostname or ""
    plain = parts.scheme == "http"
    faults = (
        (not value.isprintable() or " " in value, "must not hold blanks or control characters"),
        (parts.scheme not in ("https", "http"), "must start with https:// (or http:// locally)"),
        ("@" in parts.netloc, "must not hold user info"),
        (not _HOST.fullmatch(host), "must name a host in ASCII letters, digits, dots and dashes"),
        ("?" in value or "#" in value, "must not hold a query or a fragment"),
        (not _PATH.fullmatch(parts.path), "must have a plain path without dots or escapes"),
        (plain and is_live(key), "would send a live key in clear; use https"),
        (plain and not _LOOPBACK.fullmatch(host), "is plain http to another machine; use https"),
    )
    return next((sentence for is_faulty, sentence in faults if is_faulty), None)


def proxy(url: object) -> str | None:
    """Return *url*; it must be an http:// or https:// URL, and is never echoed."""
    if url is None:
        return None
    if isinstance(url, str) and url.isascii() and url.isprintable() and _is_proxy(url):
        return url
    raise InvalidArgumentError("proxy must be a URL that starts with http:// or https://")


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and _HOST.fullmatch(parts.hostname or "") is not None
            and parts.port != 0
        )
    except ValueError:  # its port is not a number
        return False
