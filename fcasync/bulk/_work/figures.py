"""How far a run has come, as hooks see it: from any thread, whatever the run is doing."""

from fcasync._wire.reads import Reads
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.work import Pace
from fcasync.hooks import Figures


def figures(tally: Tally, pace: Pace | None, reads: Reads) -> Figures:
    """Return the figures of a run; *pace* is None before it is at work."""
    return Figures(
        done=tally.done,
        failed=tally.count("failed"),
        waiting=tally.unfinished,
        settling=0 if pace is None else pace.settling,
        in_flight=tally.in_flight,
        requests=tally.requests,
        reads=reads.count,
        limit=None if pace is None else pace.limit,
    )
