"""What a bulk job logs, at INFO: its start, the rate limit that it learns, and its end."""

import logging

from fcasync.bulk._report import Report
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.errors import FCError

logger = logging.getLogger("fcasync")


def started(settings: Settings, tally: Tally) -> None:
    """Log that a run begins, and with how much done."""
    name, where = settings.verb.name, settings.journal or "no journal"
    if tally.found_finished:
        logger.info("bulk %s found its job finished (%s)", name, where)
    elif tally.done or tally.unfinished:
        logger.info("bulk %s resumes with %d done (%s)", name, tally.done, where)
    else:
        logger.info("bulk %s starts (%s)", name, where)


def learnt(limit: float, tenant: str) -> None:
    """Log the rate limit, in requests a second, of a *tenant*; empty for the job's own account."""
    of = f" of {tenant}" if tenant else ""
    logger.info("bulk: the rate limit%s is about %.0f requests/s", of, limit)


def barred(tenant: str, error: FCError) -> None:
    """Log that a connected account ends because it has taken its access away."""
    logger.warning("bulk: %s is left out: %s", tenant, error)


def ended(report: Report) -> None:
    """Log how far a run came."""
    how = "finished" if report.finished_at is not None else "ended"
    counts = ", ".join(f"{count} {status}" for status, count in report.by_status().items() if count)
    counts = counts or "nothing done"
    logger.info("bulk %s %s: %s; %d requests", report.operation, how, counts, report.requests)
