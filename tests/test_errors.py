"""The error tree."""

import inspect
import pickle
from typing import Any

import pytest

import fcasync
from fcasync import errors

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, Exception) and cls.__module__ == errors.__name__
]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_is_rooted_exported_and_drawn(cls: type[Exception]) -> None:
    """Every error is an FCError, is exported by `fcasync`, and is part of the drawing."""
    assert issubclass(cls, fcasync.FCError)
    assert getattr(fcasync, cls.__name__) is cls
    assert cls.__name__ in (errors.__doc__ or "")


def make(cls: type[Exception]) -> Any:
    required = {
        name: {"status": 418, "path": "journal.sqlite"}[name]
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    }
    return cls("what happened", **required)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickling(cls: type[Exception]) -> None:
    """Type, message and every attribute arrive in the other process."""
    error = make(cls)
    error.idempotency_key = "key_1"
    error.attempts = 3
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is cls
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_an_argument_error_is_a_value_error() -> None:
    """Code that does not import fcasync can catch an invalid argument."""
    assert issubclass(fcasync.InvalidArgumentError, ValueError)


@pytest.mark.parametrize("before", ["", "a\n", "a\t", "\x00", "\x85", "\u2028", "\ud800"])
def test_a_message_shows_four_digits_of_a_number(before: str) -> None:
    """Whatever stands before it, also where a repr turns that into letters or digits."""
    shown = errors.describe([f"{before}000123456789"]) + errors.describe(f"{before}000123456789")
    assert "000123456789" not in shown
    assert shown.count("••••6789") == 2
