"""Where the lanes of a cluster run are, and their settings of the network."""

from typing import Any

import attrs

from fcasync._facts.redact import Secret
from fcasync._rules import checks
from fcasync.bulk._plan.decisions import STORED_AFTER
from fcasync.errors import FCError, InvalidArgumentError, describe

LEASE = 20.0
"""Seconds without the driver after which a lane sends nothing more."""
TIMEOUT = 30.0
"""Seconds for one request."""
CONNECTIONS = 1000
"""Of each worker: 100 would mean 333 requests a second if each takes 0.3 s."""
_CLIENT_OPTIONS = {"base_url", "timeout", "deadline", "max_connections"}


class ClusterError(FCError):
    """The cluster cannot do the job: it is out of reach, or its workers do not fit.

    What was done is in the journal, and the same call resumes.
    """


@attrs.frozen(kw_only=True)
class Place:
    """Where the lanes of a run are."""

    scheduler: str | None = None
    """Address of a Dask scheduler; None starts a cluster on this machine."""
    workers: int | None = None
    """Workers to start, or to wait for; None: one for each core, or whoever is there."""
    security: Any = None
    """A ``distributed.Security``, for ``tls://``."""
    api_key: Secret | None = attrs.field(default=None, repr=False)
    """For the environment of the workers on this machine; None: they have their own."""
    client: dict[str, Any] = attrs.field(factory=dict)
    """Arguments of each worker's client."""
    lease: float = LEASE


def place(
    *,
    scheduler: str | None,
    workers: int | None,
    security: Any,
    api_key: str | None,
    client_options: Any,
    lease: float,
) -> Place:
    """Check the arguments that say where a run takes place.

    Raises:
        InvalidArgumentError: One of them could not work.
    """
    if workers is not None:
        checks.count(workers, "workers")
    if scheduler is not None and not (isinstance(scheduler, str) and "://" in scheduler):
        raise InvalidArgumentError(
            "scheduler must be an address such as tls://scheduler:8786, or None to start workers "
            f"on this machine, not {describe(scheduler)}"
        )
    if scheduler is not None and api_key is not None:
        raise InvalidArgumentError(
            "api_key= is for workers that are started on this machine; give those of a scheduler "
            "the environment variable STRIPE_API_KEY, so that the key never travels"
        )
    return Place(
        scheduler=scheduler,
        workers=workers,
        security=security,
        api_key=None if api_key is None else checks.api_key(api_key),
        client=_client(client_options, checks.seconds(lease, "lease")),
        lease=lease,
    )


def _client(options: Any, lease: float) -> dict[str, Any]:
    found = {"timeout": TIMEOUT, "max_connections": CONNECTIONS, **(options or {})}
    for name in found.keys() - _CLIENT_OPTIONS:
        raise InvalidArgumentError(
            f"client_options takes {', '.join(sorted(_CLIENT_OPTIONS))}, not {describe(name)}"
        )
    timeout = checks.seconds(found["timeout"], "timeout")
    # A key is given up for a new one a minute after its first 5xx. Whatever an old lane has sent
    # with it must have ended by then.
    if lease + timeout >= STORED_AFTER:
        raise InvalidArgumentError(
            f"lease ({lease:g} s) and timeout ({timeout:g} s) must be less than {STORED_AFTER} s "
            "together; otherwise a worker that was given up could still send what another repeats"
        )
    return found
