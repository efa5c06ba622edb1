"""Public names show their public path, wherever in the package they are defined."""

import re
from collections.abc import Iterable
from inspect import isclass, isfunction
from typing import Any

_OWN_PATH = re.compile(r"fcasync\.(errors|models(\.[a-z]\w*)?)$")


def show_as(module: str, names: Iterable[str], namespace: dict[str, Any]) -> None:
    """Let the classes and functions behind *names* say that they come from *module*.

    ``repr``, ``help``, tracebacks and pickles then say ``fcasync.bulk.Report``, a path that stays,
    instead of the private file of the day. Models are left alone, because cattrs resolves the types
    of their fields in the module that defines them; so are the errors, whose path is public.

    Args:
        module: The public module, such as ``fcasync.bulk``.
        names: Its public names.
        namespace: What they mean: the globals of a module that imports all of them.
    """
    for value in map(namespace.__getitem__, names):
        if (isclass(value) or isfunction(value)) and not _OWN_PATH.match(value.__module__):
            value.__module__ = module
