"""``client.bulk``: one operation on any number of accounts."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypedDict, Unpack

import attrs

from fcasync._rules import checks
from fcasync._rules.limits import Limits
from fcasync._rules.request import Options
from fcasync._wire.engine import Engine
from fcasync.bulk._plan import verbs
from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work.network import EngineNetwork
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.sources import Source
from fcasync.errors import InvalidArgumentError, describe


class JobOptions(TypedDict, total=False):
    """The arguments that every bulk method takes; all may be left out."""

    journal: str | PathLike[str] | None
    """The file that makes the job resumable; None (the default): a killed job starts again."""
    concurrency: int
    """Most requests in flight (256)."""
    max_rate: float | None
    """Most requests a second; None (the default) finds the rate limit by itself."""
    resume: bool
    """False refuses a journal that exists (True)."""
    retry_failed: bool
    """Whether to take up again accounts that the journal knows as failed (False)."""
    progress: bool
    """Whether to draw a bar, which needs ``pip install 'fcasync[cli]'`` (False)."""


class RefreshOptions(JobOptions, total=False):
    """The arguments of a bulk refresh."""

    wait: bool
    """Whether an outcome waits for the bank; without it Stripe's acceptance counts (False)."""
    wait_timeout: float
    """Seconds to wait for each bank; after them the outcome is ``pending`` (900)."""


class Bulk:
    """Jobs over any number of accounts that may be killed at any moment and resumed.

    Each method takes a ``source``: any iterable or asynchronous iterable of account ids or
    Accounts, such as ``client.accounts.list()``. It is read only as fast as it is processed.
    Accounts save requests: one that cannot take the operation is skipped or deferred without
    asking Stripe.

    Options of every method, all of them optional:

    * ``journal``: the file that remembers what was done, so that the same call, after whatever
      happened, goes on where it stopped. None: a job that is killed starts again.
    * ``concurrency``: most requests in flight (256).
    * ``max_rate``: most requests a second; None finds the rate limit by itself.
    * ``resume``: False refuses a journal that exists.
    * ``retry_failed``: True takes up again accounts that the journal knows as failed.
    * ``progress``: True draws a bar (needs ``pip install 'fcasync[cli]'``).

    Every method raises InvalidArgumentError for an argument that could not work, before any I/O.
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        self._engine = engine
        self._options = options

    def refresh(
        self, source: Source, *, features: Sequence[str], **options: Unpack[RefreshOptions]
    ) -> BulkRun:
        """Refresh every account of *source* exactly once.

        Args:
            source: Account ids or Accounts.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            **options: Those of :class:`Bulk`, and ``wait``: whether an outcome waits for the bank
                (False: Stripe's acceptance counts), ``wait_timeout``: seconds to wait for each
                bank, after which the outcome is ``pending`` (900).
        """
        return self._run(verbs.REFRESH, source, features, RefreshOptions, options)

    def subscribe(
        self, source: Source, *, features: Sequence[str], **options: Unpack[JobOptions]
    ) -> BulkRun:
        """Subscribe every account of *source* to *features* (``transactions``)."""
        return self._run(verbs.SUBSCRIBE, source, features, JobOptions, options)

    def unsubscribe(
        self, source: Source, *, features: Sequence[str], **options: Unpack[JobOptions]
    ) -> BulkRun:
        """End the subscription of every account of *source* to *features*."""
        return self._run(verbs.UNSUBSCRIBE, source, features, JobOptions, options)

    def disconnect(self, source: Source, **options: Unpack[JobOptions]) -> BulkRun:
        """Disconnect every account of *source*, for good."""
        return self._run(verbs.DISCONNECT, source, None, JobOptions, options)

    def _run(
        self, verb: Verb, source: Source, features: object, known: type, given: Any
    ) -> BulkRun:
        for name in given.keys() - known.__annotations__.keys():
            raise TypeError(f"{verb.name}() got an unexpected keyword argument {name!r}")
        options = dict(given)
        progress = options.pop("progress", False)
        words = [] if features is None else sorted(set(checks.features(features)))
        settings = _checked(Settings(verb=verb, features=tuple(words), **options))
        params: dict[str, Any] = {"features": words} if words else {}
        network = EngineNetwork(self._engine, self._options, verb.operation, params)
        return BulkRun(network, source, settings, progress=progress)


def _checked(settings: Settings) -> Settings:
    """Return *settings* with a path for its journal, or raise InvalidArgumentError."""
    checks.count(settings.concurrency, "concurrency")
    checks.seconds(settings.wait_timeout, "wait_timeout")
    Limits(max_rate=settings.max_rate)
    return attrs.evolve(settings, journal=_path(settings.journal))


def _path(journal: object) -> Path | None:
    if journal is None:
        return None
    if not isinstance(journal, str | PathLike) or not fspath(journal):
        raise InvalidArgumentError(f"journal must be a path, not {describe(journal)}")
    path = fspath(journal)
    if not isinstance(path, str) or "\0" in path:
        raise InvalidArgumentError(f"journal must be a path, not {describe(journal)}")
    return Path(path)
