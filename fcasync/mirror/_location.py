"""Where a mirror is: a URL that is checked before anything is opened."""

from importlib.util import find_spec
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from fcasync.errors import InvalidArgumentError
from fcasync.mirror._errors import MirrorError

DRIVERS: Final = {
    "sqlite": ("aiosqlite", "mirror"),
    "postgresql": ("asyncpg", "postgres"),
    "postgres": ("asyncpg", "postgres"),
}
"""For each kind of database, the driver and the extra that installs it."""

_EXPECTED: Final = "sqlite:///bank.db or postgresql://user:password@host/name"


def locate(url: object) -> URL:
    """Return *url* with its asynchronous driver. A message never echoes its password.

    Raises:
        InvalidArgumentError: It is not a URL of a database that a mirror can be in.
        MirrorError: The driver is not installed.
    """
    parsed = _parse(url)
    kind, _, driver = parsed.drivername.partition("+")
    known, extra = DRIVERS.get(kind, ("", ""))
    if not known or driver not in ("", known):
        raise InvalidArgumentError(
            f"a mirror cannot be in a database of kind {parsed.drivername[:40]!r}; "
            f"expected {_EXPECTED}"
        )
    if kind == "sqlite" and parsed.host:
        raise InvalidArgumentError(
            f"the URL of a SQLite file has three slashes: sqlite:///{parsed.host}, "
            f"not sqlite://{parsed.host}"
        )
    if find_spec(known) is None:
        raise MirrorError(
            f"the driver {known} is not installed: pip install 'fcasync[{extra}]'",
            url=shown(parsed),
        )
    name = {"postgres": "postgresql"}.get(kind, kind)
    return parsed.set(drivername=f"{name}+{known}")


def shown(url: URL) -> str:
    """Return *url* as it may stand in a message."""
    query = {name: "***" if _is_secret(name) else value for name, value in url.query.items()}
    plain = url.set(drivername=url.drivername.partition("+")[0], query=query)
    return plain.render_as_string(hide_password=True)


def passwords(url: URL) -> list[str]:
    """Return what no message may have in it."""
    found = [url.password] if url.password else []
    for name, value in url.query.items():
        if _is_secret(name):
            found += [value] if isinstance(value, str) else value
    return [each for each in found if each]


def _is_secret(name: str) -> bool:
    """Return whether an argument in the query of a URL, such as ``password``, is one."""
    return "pass" in name.lower()


def _parse(url: object) -> URL:
    if isinstance(url, URL):
        return url
    if isinstance(url, str):
        try:
            return make_url(url)
        except (ArgumentError, ValueError):
            pass  # its message holds the URL, which may hold a password
    raise InvalidArgumentError(f"url must be a database URL, such as {_EXPECTED}")
