"""Keeps secrets out of reprs, logs, messages and pickles."""

import re
from typing import NoReturn, SupportsIndex

# API keys, webhook secrets, a session's client secret, and anything after "Bearer" or "Basic".
# A key may follow any character, such as the n of an escaped newline.
_SECRETS = re.compile(
    r"((?:sk|rk|pk)_(?:org_)?(?:test|live)_|whsec_|fcsess_\w*?_secret_|\b(?:Bearer|Basic)\s+)[\w+/=.~-]+",
    re.IGNORECASE,
)
# Eight digits or more, perhaps separated by blanks or hyphens, that are not the end of a UUID.
# They begin a word, or follow an escape: that of a control character in a repr or in JSON.
_ACCOUNT_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z_])|(?<=\\[bfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"
    r"(?<![0-9a-f]{4}-)[0-9](?:[ -]?[0-9]){3,}(?=[ -]?[0-9]{4}(?![0-9A-Za-z]))"
)
_CUT_NUMBER = re.compile(r"[0-9][0-9 -]*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

CUT = 500
"""The most characters of a peer's text that a message quotes."""


def redact(text: str) -> str:
    """Return *text* without the secret part of keys and all but the last four digits of numbers."""
    return _ACCOUNT_NUMBER.sub("••••", without_secrets(text))


def without_secrets(text: str) -> str:
    """Return *text* without the secret part of keys and client secrets; numbers stay."""
    return _SECRETS.sub(r"\1…", text)


def printable(value: object, limit: int = CUT) -> str:
    """Return *value* as text that is safe to log: one line, cut, escaped and redacted."""
    text = value if isinstance(value, str) else repr(value)
    # Real ints and floats are timestamps or amounts; account numbers arrive as strings.
    if not isinstance(value, int | float):
        text = _redact_start(text, 2 * limit)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _CONTROL.sub(_escape, text)


def _redact_start(text: str, length: int) -> str:
    """Redact the first *length* characters, twice what is shown, and drop what follows."""
    start = redact(text[:length])
    # Redaction may shorten it so much that its end is shown, with half an account number.
    return start if len(text) <= length else f"{_CUT_NUMBER.sub('', start)}…"


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


class Hidden(str):
    """The value of a header, which is sent like any other but shown by no repr.

    Tracebacks with local variables would print the headers from the frames of aiohttp.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"

    def __getitem__(self, index: SupportsIndex | slice, /) -> str:
        # rich shortens long strings by slicing before it shows them.
        return "…"


class Secret:
    """An API key that shows only its kind and its last four characters.

    It refuses to be pickled, so that it cannot travel in a job queue or a cache by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself; only the code that writes the header calls this."""
        return self._value

    def __repr__(self) -> str:
        kind = re.match(r"[a-z]{2}_(?:org_)?(?:test|live)_", self._value)
        return f"{kind[0] if kind else ''}…{self._value[-4:] if len(self._value) > 16 else ''}"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled; pass it to the other process yourself")


def describe(value: object) -> str:
    """Return *value* as it may stand in a message: quoted, cut at 80 characters, redacted."""
    try:
        return printable(repr(value) if isinstance(value, str) else value, 80)
    except Exception:  # noqa: BLE001 - a huge integer has no repr, nor has a caller's broken object
        return f"a {type(value).__name__} that cannot be shown"
