"""What a run has done: figures while it lasts, and a report at its end."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import attrs

from fcasync._facts import html
from fcasync.bulk._outcome import OutcomeStatus

SHORTEST = 0.05
"""Seconds; less is not worth a line, for it would read 0.0 s."""
_DRY_RUN = "skipped", "dry_run"  # how what would be sent ends in a dry run


@attrs.frozen(kw_only=True)
class Progress:
    """How far a run has come."""

    done: int
    """Accounts with an outcome, those of earlier runs included; it never shrinks."""
    failed: int
    """How many of those have failed."""
    skipped: int
    """How many of those were skipped: they cannot take the operation, or need not."""
    requests: int
    """Requests of the operation that this run has sent."""
    in_flight: int
    """Requests in flight."""
    waiting: int
    """Accounts that were read from the source and have no outcome yet."""
    settling: int
    """How many of those wait for their banks (``wait=True``)."""
    total: int | None
    """Accounts in the source; None while unknown: the source has no length and no end yet."""
    rate: float
    """Requests a second, over the last two seconds."""
    limit: float | None
    """The rate limit as learnt so far, in requests a second; None before the first 429."""
    eta: float | None
    """Seconds until everything is sent, at the rate limit as learnt or given; None if unknown."""
    outage: str | None = None
    """What alone arrives while the server is down: ``only 503 for 12 s``; None while it works."""
    deferred: int = 0
    """How many of those that are done were deferred: they can take the operation only later."""

    def __str__(self) -> str:
        of = "?" if self.total is None else self.total
        facts = [f"{self.done} of {of} done", f"{self.failed} failed"]
        if self.outage:
            facts.insert(0, self.outage)
        if self.skipped:
            facts.append(f"{self.skipped} skipped")
        if self.deferred:
            facts.append(f"{self.deferred} deferred")
        facts.append(f"sent {self.requests}")
        if self.settling:
            facts.append(f"waiting for banks {self.settling}")
        facts.append(f"{self.rate:.1f} requests/s")
        if self.limit is not None:
            facts.append(f"limit about {self.limit:.0f}/s")
        if self.eta is not None:
            facts.append(f"{duration(self.eta)} left")
        return ", ".join(facts)


@attrs.frozen(kw_only=True)
class Report:
    """What a job has done. Counts cover all its runs; the other figures only this one.

    ``report.succeeded``, ``.accepted``, ``.failed``, ``.skipped``, ``.deferred`` and ``.pending``
    are the numbers of accounts of each status.
    """

    operation: str
    past_tense: str
    """The operation as the report says it: ``refreshed``."""
    counts: dict[tuple[str, str | None], int]
    """Accounts by status and reason."""
    earlier_by_status: dict[str, int]
    """How many of them an earlier run had finished."""
    unfinished: int
    """Accounts that were read from the source, by this run or an earlier one, and have no outcome:
    the same call resumes them. Until the block was left, an upper bound: what was read in the last
    moment may turn out to be finished already."""
    requests: int
    """Requests of the operation, without those that only looked."""
    reads: int
    """GETs of this run: looks, polls, one for the time, and those that the source sends while it is
    read, such as the pages of ``client.accounts.list()``. Not counted is what was read before the
    job, and what a generator reads that blocks (:mod:`fcasync.blocking`)."""
    retries: int
    """Requests repeated after a failure; those repeated after a 429 are not counted here."""
    rate_limited: int
    """Responses with status 429."""
    replays: int
    """Requests that Stripe recognized by their key and answered without doing anything twice."""
    elapsed: float
    """Seconds."""
    limit: float | None
    """The rate limit as learnt, in requests a second; None if there were no 429s."""
    outage: str | None = None
    """What alone has arrived at last, if the server is down: ``only 503 for 0:01:00``."""
    finished_at: datetime | None = None
    """When nothing was left to do (UTC, by Stripe's clock). None while something is, which includes
    deferred accounts and, with ``wait=True``, pending ones."""
    found_finished: bool = False
    """Whether an earlier run had finished the job, so that this one sent nothing."""
    tenants: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """Of a job over many connected accounts: the number of bank accounts of each, by status."""
    dry_run: bool = False
    """Whether nothing was to be sent: what would be is ``skipped: dry_run``."""
    barred: tuple[str, ...] = ()
    """Connected accounts that have taken their access away, as this run has found."""

    @property
    def total(self) -> int:
        """Accounts with an outcome."""
        return sum(self.counts.values())

    @property
    def earlier(self) -> int:
        """Accounts that an earlier run had finished."""
        return sum(self.earlier_by_status.values())

    @property
    def resumed(self) -> int:
        """The same as :attr:`earlier`."""
        return self.earlier

    @property
    def now(self) -> int:
        """Accounts that this run has finished."""
        return self.total - self.earlier

    @property
    def rate(self) -> float:
        """Outcomes a second in this run."""
        return self.now / self.elapsed if self.elapsed else 0.0

    @property
    def accepted(self) -> int:
        """Accounts whose refresh Stripe accepted; their banks have not answered."""
        return self._count("accepted")

    @property
    def succeeded(self) -> int:
        """Accounts for which the operation was carried out."""
        return self._count("succeeded")

    @property
    def failed(self) -> int:
        """Accounts that failed."""
        return self._count("failed")

    @property
    def skipped(self) -> int:
        """Accounts that cannot take the operation."""
        return self._count("skipped")

    @property
    def deferred(self) -> int:
        """Accounts that can take the operation only later."""
        return self._count("deferred")

    @property
    def pending(self) -> int:
        """Accounts whose banks took too long."""
        return self._count("pending")

    def _count(self, wanted: str) -> int:
        return sum(count for (status, _), count in self.counts.items() if status == wanted)

    def by_status(self) -> dict[str, int]:
        """Return the number of accounts of each status, zeros included."""
        found: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            found[status] += count
        return {status.value: found[status.value] for status in OutcomeStatus}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        hidden = {"counts", "past_tense", "earlier_by_status", "finished_at"}
        data = attrs.asdict(self, filter=lambda field, _: field.name not in hidden)
        reasons = {
            f"{status}: {reason}": count for (status, reason), count in _reasons(self) if reason
        }
        return {
            **data,
            "total": self.total,
            "now": self.now,
            "earlier": self.earlier,
            "resumed": self.resumed,
            "rate": self.rate,
            "finished_at": self.finished_at and self.finished_at.isoformat(),
            "by_status": self.by_status(),
            "by_reason": reasons,
        }

    def __str__(self) -> str:
        lines = _lines(self)
        width = max(13, *(len(name) for name, _ in lines))
        return "\n".join(f"{name:<{width}} {text}" for name, text in lines)

    def _repr_html_(self) -> str:
        return html.card(f"Bulk {self.operation}", _lines(self))


def _lines(report: Report) -> list[tuple[str, str]]:
    lines = []
    if report.found_finished and report.finished_at is not None:
        lines.append(("finished", f"{report.finished_at:%Y-%m-%d %H:%M} UTC, by an earlier run"))
    found = report.by_status()
    accepted, succeeded, failed = (found.pop(name) for name in ("accepted", "succeeded", "failed"))
    if report.dry_run:
        would = report.counts.get(_DRY_RUN, 0)
        lines.append((f"would {report.operation}", f"{would} of {_total(report)}"))
        found["skipped"] -= would
    elif accepted:
        lines.append(("accepted", f"{_of(report, 'accepted')}; their banks have not answered"))
    if succeeded or not (accepted or report.dry_run):
        lines.append((report.past_tense, _of(report, "succeeded")))
    lines += [(name, f"{count}{_why(report, name)}") for name, count in found.items() if count]
    lines.append(("failed", f"{failed}{_why(report, 'failed')}"))
    if report.unfinished:
        lines.append(("unfinished", f"{report.unfinished} (repeat the same call to resume)"))
    if report.outage:
        lines.append(("server", report.outage))
    if report.tenants or report.barred:
        lines.append(("tenants", _tenants(report)))
    requests = f"{report.requests} ({report.retries} retries, {report.replays} replays)"
    lines += [("requests", requests), ("reads", str(report.reads))]
    if report.requests or report.elapsed >= SHORTEST:
        lines.append(("elapsed", duration(report.elapsed, digits=1)))
    if report.requests:
        lines.append(("rate", f"{report.rate:.1f} accounts/s, {_limit(report)}"))
    return lines


def _tenants(report: Report) -> str:
    count = len({*report.tenants, *report.barred})
    if not report.barred:
        return str(count)
    more = f" and {len(report.barred) - 3} more" if len(report.barred) > 3 else ""
    return f"{count} ({len(report.barred)} denied: {', '.join(report.barred[:3])}{more})"


def _of(report: Report, status: str) -> str:
    count, earlier = report.by_status()[status], report.earlier_by_status.get(status, 0)
    apart = f", {count - earlier} now and {earlier} earlier" if report.earlier else ""
    return f"{count} of {_total(report)}{apart}{_why(report, status)}"


def _total(report: Report) -> str:
    count = report.total + report.unfinished
    return f"{count} {'account' if count == 1 else 'accounts'}"


def _why(report: Report, status: str) -> str:
    reasons = [
        f"{count} {why}"
        for (of, why), count in _reasons(report)
        if of == status and why and (of, why) != _DRY_RUN
    ]
    return f" ({', '.join(reasons)})" if reasons else ""


def _limit(report: Report) -> str:
    if report.limit is None and not report.rate_limited:
        return "no 429s"
    if report.tenants:
        return f"{report.rate_limited} 429s"
    about = " unknown" if report.limit is None else f" about {report.limit:.0f} requests/s"
    return f"{report.rate_limited} 429s, rate limit{about}"


def _reasons(report: Report) -> list[tuple[tuple[str, str | None], int]]:
    return sorted(report.counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))


def duration(seconds: float, digits: int = 0) -> str:
    """Return a time as people read it: ``7 s``, or ``1:02:05`` from a minute on."""
    return f"{seconds:.{digits}f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
