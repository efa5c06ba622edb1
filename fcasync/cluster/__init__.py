"""Bulk jobs over many connected accounts, on many processes or machines (extra ``cluster``).

::

    tenants = Tenants(["acct_1...", "acct_2..."])
    async with fcasync.cluster.refresh(tenants, features=["balance"], journal="all.sqlite") as run:
        async for outcome in run:
            print(outcome.stripe_account, outcome.account_id, outcome.status)

Dask distributed gives the workers. Each works on whole tenants, and streams what it does to the
journal of the process that made the call; a worker that is lost costs a few repeated requests,
which Stripe recognizes by their keys. One process carries about a hundred tenants at Stripe's
limit of 25 requests a second: only beyond that is a cluster worth its trouble.

Every worker needs fcasync, and its API key in the environment variable ``STRIPE_API_KEY``.
"""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from fcasync._facts.public import show_as
from fcasync._rules import checks
from fcasync.bulk._bulk import DEFAULTS, JobOptions, RefreshOptions, job_settings
from fcasync.bulk._plan import verbs
from fcasync.bulk._plan.verbs import Verb
from fcasync.bulk._work.tenants import Tenants
from fcasync.cluster._run import ClusterRun
from fcasync.cluster._settings import LEASE, ClusterError, place
from fcasync.errors import InvalidArgumentError, describe
from fcasync.resources._arguments import RefreshFeatures, Subscriptions, spelled_out

__all__ = [
    "ClusterError",
    "ClusterRun",
    "disconnect",
    "refresh",
    "subscribe",
    "unsubscribe",
]


class ClusterOptions(TypedDict, total=False):
    """Where a job runs; all may be left out.

    Options:
        scheduler: Address of a Dask scheduler, such as ``tls://scheduler:8786``; None starts
            workers on this machine, for this job.
        workers: Workers to start (None: one for each core), or to wait for (None: whoever is
            there).
        security: A ``distributed.Security`` with the certificates for ``tls://``; None takes them
            from Dask's configuration.
        api_key: The key for workers on this machine; None: they find it in ``STRIPE_API_KEY``.
            With a scheduler it is refused, because it would have to travel.
        client_options: ``base_url``, ``timeout``, ``deadline`` and ``max_connections`` of each
            worker's client.
        lease: Seconds without this process after which a worker stops sending. Less than 60
            together with ``timeout``.
    """

    scheduler: str | None
    workers: int | None
    security: Any
    api_key: str | None
    client_options: Mapping[str, Any] | None
    lease: float


class ClusterJobOptions(JobOptions, ClusterOptions, total=False):
    """The arguments of a job on a cluster."""


class ClusterRefreshOptions(RefreshOptions, ClusterOptions, total=False):
    """The arguments of a refresh on a cluster."""


_DEFAULTS = {**DEFAULTS, "lease": LEASE}


@spelled_out(ClusterOptions, JobOptions, RefreshOptions, defaults=_DEFAULTS)
def refresh(
    tenants: Tenants,
    *,
    features: RefreshFeatures,
    **options: Unpack[ClusterRefreshOptions],
) -> ClusterRun:
    """Refresh every account of *tenants* exactly once, on the workers of a cluster.

    ``journal``, a file on this machine, is required here; ``concurrency`` applies to each worker,
    and ``total_rate`` to all. ``dry_run`` and ``max_requests`` are for ``client.bulk`` alone.

    Args:
        tenants: Connected accounts; at most ``at_once`` of them on each worker.
        features: What to read: ``balance``, ``ownership``, ``transactions``.
        options: See :class:`ClusterRefreshOptions`.

    Raises:
        InvalidArgumentError: An argument could not work.
    """
    return _run(verbs.REFRESH, tenants, features, options)


@spelled_out(ClusterOptions, JobOptions, defaults=_DEFAULTS)
def subscribe(
    tenants: Tenants,
    *,
    features: Subscriptions,
    **options: Unpack[ClusterJobOptions],
) -> ClusterRun:
    """Subscribe every account of *tenants* to *features*; see :func:`refresh`."""
    return _run(verbs.SUBSCRIBE, tenants, features, options)


@spelled_out(ClusterOptions, JobOptions, defaults=_DEFAULTS)
def unsubscribe(
    tenants: Tenants,
    *,
    features: Subscriptions,
    **options: Unpack[ClusterJobOptions],
) -> ClusterRun:
    """End the subscription of every account of *tenants* to *features*; see :func:`refresh`."""
    return _run(verbs.UNSUBSCRIBE, tenants, features, options)


@spelled_out(ClusterOptions, JobOptions, defaults=_DEFAULTS)
def disconnect(
    tenants: Tenants,
    **options: Unpack[ClusterJobOptions],
) -> ClusterRun:
    """Disconnect every account of *tenants*, for good; see :func:`refresh`."""
    return _run(verbs.DISCONNECT, tenants, None, options)


_NOT_HERE = {"dry_run", "max_requests"}
"""Options of a run in one process: each worker alone knows what it sends."""


def _run(verb: Verb, tenants: Tenants, features: object, given: Any) -> ClusterRun:
    known = ClusterRefreshOptions if verb is verbs.REFRESH else ClusterJobOptions
    for name in given.keys() - known.__annotations__.keys():
        raise TypeError(f"{verb.name}() got an unexpected keyword argument {name!r}")
    if not isinstance(tenants, Tenants):
        raise InvalidArgumentError(f"a cluster works on Tenants, not {describe(tenants)}")
    if given.get("journal") is None:
        raise InvalidArgumentError(
            "a cluster needs journal=, the file in which it keeps what was sent"
        )
    for name in _NOT_HERE & {name for name, value in given.items() if value}:
        raise InvalidArgumentError(f"{name} is for client.bulk; a cluster does not know it")
    options = dict(given)
    where = place(
        scheduler=options.pop("scheduler", None),
        workers=options.pop("workers", None),
        security=options.pop("security", None),
        api_key=options.pop("api_key", None),
        client_options=options.pop("client_options", None),
        lease=options.pop("lease", LEASE),
    )
    progress = options.pop("progress", False)
    words = () if features is None else tuple(sorted(set(checks.features(features))))
    settings = job_settings(verb, tenants, words, options)
    return ClusterRun(tenants, settings, where, progress=progress)


show_as(__name__, __all__, globals())
