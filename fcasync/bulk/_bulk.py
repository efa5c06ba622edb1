"""``client.bulk``: one operation on any number of accounts."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from fcasync._rules import checks
from fcasync._rules.pace import Limits
from fcasync._rules.request import Operation, Options
from fcasync._wire.engine import Engine
from fcasync.bulk._plan.task import OperationName
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work.network import EngineWire
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.sources import Source
from fcasync.errors import InvalidArgumentError, describe
from fcasync.models import Account
from fcasync.resources.accounts import DISCONNECT, REFRESH, SUBSCRIBE, UNSUBSCRIBE

Journal = str | PathLike[str] | None

_OPERATIONS: dict[OperationName, Operation[Account]] = {
    "refresh": REFRESH,
    "subscribe": SUBSCRIBE,
    "unsubscribe": UNSUBSCRIBE,
    "disconnect": DISCONNECT,
}


class Bulk:
    """Jobs over any number of accounts, that may be killed at any moment and resumed.

    Arguments that all of them have:

    * ``source``: any iterable or asynchronous iterable of account ids or Accounts, such as
      ``client.accounts.list()``; it is read only as fast as it is worked off. Accounts save
      requests: one that cannot take the operation is skipped or deferred without asking Stripe.
    * ``journal``: the file that remembers what was done, so that the same call, after whatever
      happened, goes on where it stopped. None: a job that is killed starts again.
    * ``concurrency``: requests in flight at the most.
    * ``max_rate``: requests a second at the most; None finds the rate limit by itself.
    * ``resume``: False refuses a journal that exists.
    * ``retry_failed``: take up again accounts that the journal knows as failed.
    * ``progress``: True draws a bar (needs ``pip install 'fcasync[cli]'``).
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        self._engine = engine
        self._options = options

    def refresh(
        self,
        source: Source,
        *,
        features: Sequence[str],
        journal: Journal = None,
        concurrency: int = 256,
        max_rate: float | None = None,
        wait: bool = False,
        wait_timeout: float = 900.0,
        resume: bool = True,
        retry_failed: bool = False,
        progress: bool = False,
    ) -> BulkRun:
        """Refresh every account of *source* exactly once.

        Args:
            source: Account ids or Accounts.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            journal: The file that makes the job resumable.
            concurrency: Requests in flight at the most.
            max_rate: Requests a second at the most.
            wait: Whether an outcome waits for the bank; without, Stripe's acceptance counts.
            wait_timeout: Seconds to wait for each bank; then the outcome is ``pending``.
            resume: Whether an existing journal is gone on with.
            retry_failed: Whether failed accounts of the journal are taken up again.
            progress: Whether to draw a bar.

        Raises:
            InvalidArgumentError: An argument that could not work.
        """
        return self._run(
            "refresh",
            source,
            features=features,
            journal=journal,
            concurrency=concurrency,
            max_rate=max_rate,
            wait=wait,
            wait_timeout=wait_timeout,
            resume=resume,
            retry_failed=retry_failed,
            progress=progress,
        )

    def subscribe(
        self,
        source: Source,
        *,
        features: Sequence[str],
        journal: Journal = None,
        concurrency: int = 256,
        max_rate: float | None = None,
        resume: bool = True,
        retry_failed: bool = False,
        progress: bool = False,
    ) -> BulkRun:
        """Subscribe every account of *source* to *features* (``transactions``)."""
        return self._run(
            "subscribe",
            source,
            features=features,
            journal=journal,
            concurrency=concurrency,
            max_rate=max_rate,
            resume=resume,
            retry_failed=retry_failed,
            progress=progress,
        )

    def unsubscribe(
        self,
        source: Source,
        *,
        features: Sequence[str],
        journal: Journal = None,
        concurrency: int = 256,
        max_rate: float | None = None,
        resume: bool = True,
        retry_failed: bool = False,
        progress: bool = False,
    ) -> BulkRun:
        """End the subscription of every account of *source* to *features*."""
        return self._run(
            "unsubscribe",
            source,
            features=features,
            journal=journal,
            concurrency=concurrency,
            max_rate=max_rate,
            resume=resume,
            retry_failed=retry_failed,
            progress=progress,
        )

    def disconnect(
        self,
        source: Source,
        *,
        journal: Journal = None,
        concurrency: int = 256,
        max_rate: float | None = None,
        resume: bool = True,
        retry_failed: bool = False,
        progress: bool = False,
    ) -> BulkRun:
        """Disconnect every account of *source*, for good."""
        return self._run(
            "disconnect",
            source,
            features=None,
            journal=journal,
            concurrency=concurrency,
            max_rate=max_rate,
            resume=resume,
            retry_failed=retry_failed,
            progress=progress,
        )

    def _run(
        self,
        operation: OperationName,
        source: Source,
        *,
        features: Sequence[str] | None,
        journal: Journal,
        concurrency: int,
        max_rate: float | None,
        progress: bool,
        wait_timeout: float = 900.0,
        **flags: bool,
    ) -> BulkRun:
        words = [] if features is None else sorted(set(checks.features(features)))
        settings = Settings(
            operation=operation,
            features=tuple(words),
            journal=_path(journal),
            concurrency=checks.count(concurrency, "concurrency"),
            max_rate=Limits(max_rate=max_rate).max_rate,
            wait_timeout=checks.seconds(wait_timeout, "wait_timeout"),
            **flags,
        )
        params: dict[str, Any] = {"features": words} if words else {}
        wire = EngineWire(self._engine, self._options, _OPERATIONS[operation], params)
        return BulkRun(wire, source, settings, progress=progress)


def _path(journal: object) -> Path | None:
    if journal is None:
        return None
    if not isinstance(journal, str | PathLike) or not fspath(journal):
        raise InvalidArgumentError(f"journal must be a path, not {describe(journal)}")
    path = fspath(journal)
    if not isinstance(path, str) or "\0" in path:
        raise InvalidArgumentError(f"journal must be a path, not {describe(journal)}")
    return Path(path)
