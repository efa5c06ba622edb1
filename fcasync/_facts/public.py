"""Makes public names show their public path, wherever in the package they are defined."""

import re
from collections.abc import Iterable
from inspect import isclass, isfunction
from typing import Any

_OWN_PATH = re.compile(r"fcasync\.(errors|models(\.[a-z]\w*)?)$")


def show_as(module: str, names: Iterable[str], namespace: dict[str, Any]) -> None:
    """Make the classes and functions behind *names* show *module* as their home.

    ``repr``, ``help``, tracebacks and pickles then show ``fcasync.bulk.Report``, which is stable,
    instead of a private file. Models and errors keep their paths, which are public already: cattrs
    resolves the types of a model's fields in the module that defines it.

    Args:
        module: The public module, such as ``fcasync.bulk``.
        names: Its public names.
        namespace: The globals of a module that imports all of them.
    """
    for value in map(namespace.__getitem__, names):
        if (isclass(value) or isfunction(value)) and not _OWN_PATH.match(value.__module__):
            value.__module__ = module
