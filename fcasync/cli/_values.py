"""Values that people write in options: durations, instants, amounts, shards."""

import re
from datetime import UTC, datetime
from typing import Final

import click

from fcasync._facts.money import places
from fcasync.bulk import Tenants
from fcasync.errors import InvalidArgumentError
from fcasync.models import Money


class Whole(click.IntRange):
    """The type of an option that is a whole number, by which name a message calls it."""

    name = "whole number"


class Number(click.FloatRange):
    """The type of an option that is a number."""

    name = "number"


POSITIVE: Final = Number(min=0, min_open=True)
"""The type of an option that is a number above 0."""
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def shard(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Read ``I/N``."""
    if value is None:
        return None
    number, _, count = value.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise click.BadParameter(f"{value!r} is not I/N with I from 0 to N-1")
    return int(number), int(count)


def instant(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read a time with a time zone."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-11-24T00:00Z") from error
    if found.tzinfo is None:
        raise click.BadParameter(f"{value!r} has no time zone; write {value}Z for UTC")
    return found


def day(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read a date, which begins at midnight UTC, or a time with a time zone."""
    if value is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is not a date") from error
    return instant(ctx, param, value)


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read ``90``, ``90s``, ``30m``, ``12h`` or ``7d`` as seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", value)
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{value!r} is not a duration such as 12h, 30m or 90")
    return float(int(found[1]) * _UNITS[found[2]])


def money(ctx: click.Context, param: click.Parameter, value: str | None) -> Money | None:
    """Read an amount with its currency: ``50.00usd``, ``500 JPY``."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) ?([A-Za-z]{3})", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not an amount such as 50.00usd")
    try:
        return Money.of(found[1], found[2])
    except InvalidArgumentError as error:
        digits = places(found[2].lower())
        raise click.BadParameter(
            f"{value!r} is not an amount in {found[2].upper()} with at most {digits} decimal places"
        ) from error


def connected(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read the id of a connected account."""
    try:
        Tenants([] if value is None else [value])
    except InvalidArgumentError as error:
        raise click.BadParameter(f"{value!r} is not a connected account (acct_...)") from error
    return value
