"""Public names show their public path."""

import pickle
import subprocess
import sys
from importlib import import_module
from inspect import isclass, isfunction
from typing import Any

import pytest

import fcasync
from fcasync import bulk, testing
from tests._paths import ROOT

MODULES = (
    "fcasync",
    "fcasync.blocking",
    "fcasync.bulk",
    "fcasync.errors",
    "fcasync.hooks",
    "fcasync.models",
    "fcasync.otel",
    "fcasync.sandbox",
    "fcasync.testing",
    "fcasync.webhooks",
)


@pytest.mark.parametrize("module", MODULES)
def test_a_public_name_comes_from_a_public_module(module: str) -> None:
    """A repr, a traceback or a pickle never shows the path of a private file."""
    offered = import_module(module)
    values = [getattr(offered, name) for name in getattr(offered, "__all__", dir(offered))]
    paths = {value.__module__ for value in values if isclass(value) or isfunction(value)}
    assert [path for path in paths if "._" in path] == []


def test_the_path_shown_can_be_imported() -> None:
    """A repr shows the path that a user would import."""
    assert repr(fcasync.Response) == "<class 'fcasync.Response'>"
    assert repr(fcasync.Client) == "<class 'fcasync.Client'>"
    assert repr(bulk.Report) == "<class 'fcasync.bulk.Report'>"
    assert fcasync.Account.__module__ == "fcasync.models.account"


@pytest.mark.parametrize(
    "value",
    [
        fcasync.RetryPolicy(attempts=2),
        fcasync.Limits(max_rate=3.0),
        bulk.Outcome(account_id="fca_1", status=bulk.OutcomeStatus.SUCCEEDED),
        testing.make_account(id="fca_1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_from_a_pickle(value: Any) -> None:
    """Pickles find a class by the path that it shows."""
    assert pickle.loads(pickle.dumps(value)) == value


def test_public_modules_are_attributes() -> None:
    """`import fcasync` is enough for `fcasync.webhooks`; a wrong name names the package."""
    code = "import fcasync; print(fcasync.webhooks.__name__, 'webhooks' in dir(fcasync))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "fcasync.webhooks True\n"
    with pytest.raises(AttributeError, match="module 'fcasync' has no attribute 'webhook'"):
        fcasync.webhook  # type: ignore[attr-defined]  # noqa: B018
