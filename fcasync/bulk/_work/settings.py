"""How a run goes about its job."""

from pathlib import Path

import attrs

from fcasync.bulk._plan.verbs import Verb

TENANTS_WINDOW = 128
"""Accounts of one tenant that may be read ahead: five seconds at 25 requests a second."""


@attrs.frozen(kw_only=True)
class Settings:
    """The arguments of a bulk method, already checked."""

    verb: Verb
    features: tuple[str, ...] = ()
    """Sorted."""
    journal: Path | None = None
    concurrency: int = 256
    """Most requests in flight."""
    max_rate: float | None = None
    """Most requests a second, of each tenant."""
    total_rate: float | None = None
    """Most requests a second, of all tenants."""
    is_for_many: bool = False
    """Whether the job is about many connected accounts."""
    shard: tuple[int, int] = (0, 1)
    """Which tenants: those whose CRC-32, modulo the second number, is the first."""
    job_id: str | None = None
    """The id of a job that has a name; None for a new one."""
    since: int | None = None
    """The Unix time before which nothing of a job with a name was sent."""
    wait: bool = False
    wait_timeout: float = 900.0
    max_age: float | None = None
    """Seconds; what was refreshed more recently is skipped."""
    max_requests: int | None = None
    """Most requests of the operation that this run sends."""
    dry_run: bool = False
    resume: bool = True
    retry_failed: bool = False

    @property
    def ceiling(self) -> float | None:
        """Most requests a second of the whole run; None if only tenants have a limit."""
        return self.total_rate if self.is_for_many else self.max_rate

    @property
    def window(self) -> int:
        """Accounts that may be read, and not yet taken by the caller, at any time."""
        return 2 * self.concurrency + 64

    @property
    def window_of_a_tenant(self) -> int:
        """The same for one of many tenants."""
        return min(self.window, TENANTS_WINDOW)
