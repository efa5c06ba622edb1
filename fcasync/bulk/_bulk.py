"""``client.bulk``: one operation on any number of accounts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack

import attrs

from fcasync._rules import checks
from fcasync._rules.limits import Limits
from fcasync._rules.request import Options
from fcasync._wire.engine import Engine
from fcasync.bulk._naming import named
from fcasync.bulk._plan import verbs
from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work.network import EngineNetwork
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.sources import Source
from fcasync.bulk._work.tenants import Tenants, check_shard
from fcasync.errors import InvalidArgumentError, describe
from fcasync.resources._arguments import RefreshFeatures, Subscriptions, spelled_out


class JobOptions(TypedDict, total=False):
    """The arguments that every bulk method takes; all may be left out.

    Options:
        journal: The file that remembers what was done, so that the same call, after whatever
            happened, goes on where it stopped. None: a job that is killed starts again.
        concurrency: Most requests in flight, and no more than the client's ``max_connections``: a
            request that waited for a connection would use up its time.
        max_rate: Most requests a second; None finds the rate limit by itself. Of `Tenants`, it
            applies to each.
        total_rate: Most requests a second of all `Tenants` together.
        shard: ``(i, n)`` works only on every tenant whose CRC-32, modulo n, is i, so that n
            processes share a list of tenants and nothing else. None: all.
        job: A name for the job, from which its idempotency keys follow: a process that lost its
            journal, or has none, goes on by looking at each account, instead of repeating
            anything. Name each job anew, such as ``"nightly-2026-11-24"``.
        since: A time before which nothing of the named job was sent: an aware datetime, or Unix
            seconds.
        resume: False refuses a journal that exists.
        retry_failed: True takes up again accounts that the journal knows as failed, as a new job
            would: one that cannot be refreshed yet is ``deferred``. With a journal that is new it
            changes nothing: everything in the source is open.
        max_requests: Most requests of the operation that this run sends. What is not sent stays
            open for the next run; None for any number.
        dry_run: True sends nothing, and leaves the journal alone: what would be sent is
            ``skipped: dry_run``, and Accounts that cannot take the operation say why. One read
            checks the key; a source of ids is not fetched, so that with ``max_age`` it says the
            most.
        progress: True draws a bar, which needs ``pip install 'fcasync[cli]'``.
    """

    journal: str | PathLike[str] | None
    concurrency: int
    max_rate: float | None
    total_rate: float | None
    shard: tuple[int, int] | None
    job: str | None
    since: datetime | int | None
    resume: bool
    retry_failed: bool
    max_requests: int | None
    dry_run: bool
    progress: bool


class RefreshOptions(JobOptions, total=False):
    """The arguments of a bulk refresh.

    Options:
        wait: Whether an outcome waits for the bank; without it Stripe's acceptance counts.
        max_age: A timedelta, or seconds; what was refreshed successfully more recently is
            ``skipped: fresh``. An account that is known by its id alone is fetched first.
        wait_timeout: Seconds to wait for each bank; after them the outcome is ``pending``.
    """

    wait: bool
    max_age: timedelta | float | None
    wait_timeout: float


DEFAULTS: Final[Mapping[str, object]] = {
    "concurrency": 256,
    "resume": True,
    "retry_failed": False,
    "dry_run": False,
    "progress": False,
    "wait": False,
    "wait_timeout": 900.0,
}
"""The defaults of these options that are not None, for signatures."""


class Bulk:
    """Jobs over any number of accounts that may be killed at any moment and resumed.

    Each method takes a ``source``: any iterable or asynchronous iterable of account ids or
    Accounts, such as ``client.accounts.list()``. It is read only as fast as it is processed.
    :class:`Tenants` stand for the accounts of many connected accounts.
    Accounts save requests: one that cannot take the operation is skipped or deferred without
    asking Stripe.

    An outage ends a run with the last error: when nothing was answered, or with nothing but 5xx,
    for 60 seconds and 100 requests. No account fails for it, and no more were read than there is
    room for. After 20 such failures in a row the run brakes, to one request a second in the end, so
    that a server that is down for a minute gets about 140 requests; within two seconds of its
    first good answer the run is as fast as before. A tenant's outage brakes that tenant alone.

    Every method raises InvalidArgumentError for an argument that could not work, before any I/O.
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        self._engine = engine
        self._options = options

    @spelled_out(JobOptions, RefreshOptions, defaults=DEFAULTS)
    def refresh(
        self,
        source: Source | Tenants,
        *,
        features: RefreshFeatures,
        **options: Unpack[RefreshOptions],
    ) -> BulkRun:
        """Refresh every account of *source* exactly once.

        Args:
            source: Account ids or Accounts.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            options: See :class:`RefreshOptions`.
        """
        return self._run(verbs.REFRESH, source, features, RefreshOptions, options)

    @spelled_out(JobOptions, defaults=DEFAULTS)
    def subscribe(
        self, source: Source | Tenants, *, features: Subscriptions, **options: Unpack[JobOptions]
    ) -> BulkRun:
        """Subscribe every account of *source* to *features* (``transactions``)."""
        return self._run(verbs.SUBSCRIBE, source, features, JobOptions, options)

    @spelled_out(JobOptions, defaults=DEFAULTS)
    def unsubscribe(
        self, source: Source | Tenants, *, features: Subscriptions, **options: Unpack[JobOptions]
    ) -> BulkRun:
        """End the subscription of every account of *source* to *features*."""
        return self._run(verbs.UNSUBSCRIBE, source, features, JobOptions, options)

    @spelled_out(JobOptions, defaults=DEFAULTS)
    def disconnect(self, source: Source | Tenants, **options: Unpack[JobOptions]) -> BulkRun:
        """Disconnect every account of *source*, for good."""
        return self._run(verbs.DISCONNECT, source, None, JobOptions, options)

    def _run(
        self, verb: Verb, source: Source | Tenants, features: object, known: type, given: Any
    ) -> BulkRun:
        for name in given.keys() - known.__annotations__.keys():
            raise TypeError(f"{verb.name}() got an unexpected keyword argument {name!r}")
        options = dict(given)
        progress = options.pop("progress", False)
        words = [] if features is None else sorted(set(checks.features(features)))
        settings = job_settings(verb, source, tuple(words), options)
        if settings.is_for_many and self._options.acting_for is not None:
            raise InvalidArgumentError(
                f"Tenants need the client of the platform, not one for {self._options.acting_for}"
            )
        if connections := getattr(self._engine.transport, "max_connections", None):
            settings = attrs.evolve(settings, concurrency=min(settings.concurrency, connections))
        params: dict[str, Any] = {"features": words} if words else {}
        network = EngineNetwork(self._engine, self._options, verb.operation, params)
        return BulkRun(network, source, settings, progress=progress)


def job_settings(
    verb: Verb, source: object, features: tuple[str, ...], options: dict[str, Any]
) -> Settings:
    """Return the arguments of a bulk method as settings.

    Raises:
        InvalidArgumentError: One of them could not work.
    """
    is_for_many = isinstance(source, Tenants)
    job_id, since = named(options.pop("job", None), options.pop("since", None))
    if options.get("max_age") is not None:
        options["max_age"] = checks.age(options["max_age"], "max_age")
    shard, total_rate = options.pop("shard", None), options.get("total_rate")
    if not is_for_many and (shard is not None or total_rate is not None):
        raise InvalidArgumentError("shard and total_rate are for Tenants")
    return _checked(
        Settings(
            verb=verb,
            features=features,
            job_id=job_id,
            since=since,
            is_for_many=is_for_many,
            shard=(0, 1) if shard is None else check_shard(shard),
            **options,
        )
    )


def _checked(settings: Settings) -> Settings:
    """Return *settings* with a path for its journal, or raise InvalidArgumentError."""
    checks.count(settings.concurrency, "concurrency")
    checks.seconds(settings.wait_timeout, "wait_timeout")
    if settings.max_requests is not None:
        checks.count(settings.max_requests, "max_requests")
    if settings.retry_failed and settings.journal is None:
        raise InvalidArgumentError("retry_failed needs journal=, the file that knows what failed")
    Limits(max_rate=settings.max_rate)
    Limits(max_rate=settings.total_rate)
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
