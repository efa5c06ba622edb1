"""How a run goes about its job."""

from pathlib import Path

import attrs

from fcasync.bulk._plan.verbs import Verb


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
    wait: bool = False
    wait_timeout: float = 900.0
    resume: bool = True
    retry_failed: bool = False

    @property
    def window(self) -> int:
        """Accounts that may be read, and not yet taken by the caller, at any time."""
        return 2 * self.concurrency + 64
