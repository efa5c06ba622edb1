"""Jobs over any number of accounts: ``client.bulk``."""

from fcasync._facts.public import show_as
from fcasync.bulk._bulk import Bulk
from fcasync.bulk._journal.rows import read_journal
from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._report import Progress, Report
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work.tenants import Tenants

__all__ = [
    "Bulk",
    "BulkRun",
    "Outcome",
    "OutcomeStatus",
    "Progress",
    "Report",
    "Tenants",
    "read_journal",
]

show_as(__name__, __all__, globals())
