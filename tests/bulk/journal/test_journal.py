"""The journal: what it keeps, what it refuses, and that damage is never passed over in silence."""

import errno
import gc
import hashlib
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import sysconfig
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from fcasync import errors
from fcasync.bulk import read_journal
from fcasync.bulk._journal import files, stored_errors
from fcasync.bulk._journal.connections import OPTIONS
from fcasync.bulk._journal.header import Header
from fcasync.bulk._journal.sqlite import FileJournal, read_rows
from fcasync.bulk._plan.task import OVER, Row
from fcasync.bulk._plan.verdicts import CLOCK_SLACK
from fcasync.errors import APITimeoutError, InvalidRequestError, JournalError, ServerError
from tests._paths import ROOT

HEADER = Header(
    operation="refresh",
    features="balance",
    api_key="test 0123456789",
    stripe_account=None,
    stripe_version="2026-09-30.endive",
    created=1_760_000_000,
)


def row(number: int, status: str = "open") -> Row:
    # Hashed, so that the rows land all over the file.
    name = hashlib.sha256(str(number).encode()).hexdigest()[:24]
    return Row(f"fca_{name}", status, 0, 1_760_000_000 + number)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.sqlite"


def make(path: Path, rows: int = 3, status: str = "succeeded") -> None:
    journal = FileJournal.open(path, HEADER)
    for number in range(rows):
        journal.commit([row(number)], [row(number, status)])
    journal.close(is_complete=True)


def kill_a_writer(path: Path, rows: int) -> None:
    """Leave behind what a process leaves that is killed in the middle of its work."""
    child = os.fork()
    if child == 0:
        try:
            journal = FileJournal.open(path, HEADER)
            for number in range(rows):
                journal.commit([row(number)], [])
                journal.commit([], [row(number, "succeeded")])
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_what_is_committed_is_known_again(path: Path) -> None:
    """A second run finds every row as the first one left it, and says which were new."""
    full = attrs.evolve(
        row(1, "failed"),
        generation=2,
        is_certain=False,
        attempts=7,
        replayed=True,
        reason="unconfirmed",
        error=stored_errors.dump(APITimeoutError("too slow \N{SNOWMAN}")),
        available_at=1_760_003_600,
    )
    journal = FileJournal.open(path, HEADER)
    assert journal.commit([row(1), row(2)], []) == {}
    journal.commit([], [full])
    journal.close(is_complete=True)

    journal = FileJournal.open(path, HEADER)
    known = journal.commit([row(1), row(2), row(3)], [])
    assert known == {full.key: full, row(2).key: row(2)}
    assert journal.counts() == {("failed", "unconfirmed"): 1, ("open", None): 2}
    assert not journal.was_cut_short
    journal.close(is_complete=True)


def test_rows_of_no_interest_are_not_read(path: Path) -> None:
    """Of accounts that are over, a journal says just that; of the others, all that it knows."""
    make(path, 3)
    journal = FileJournal.open(path, HEADER)
    journal.commit([row(7, "failed")], [])
    asked = [row(number) for number in (0, 2, 5, 7)]
    known = journal.commit(asked, [], 0, frozenset({"succeeded", "skipped"}))
    assert known == {row(0).key: OVER, row(2).key: OVER, row(7).key: row(7, "failed")}
    journal.close(is_complete=True)


def test_a_journal_is_private(path: Path) -> None:
    """Only its user can read it, and it holds no key."""
    make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_left_beside_a_closed_journal(path: Path) -> None:
    """One job, one file."""
    make(path)
    list(read_journal(path))
    assert [entry.name for entry in path.parent.iterdir()] == ["job.sqlite"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("operation", "disconnect", "operation: refresh, not disconnect"),
        ("features", "balance,ownership", "features: balance, not balance,ownership"),
        ("api_key", "live 99", "API key: test 0123456789, not live 99"),
        ("stripe_account", "acct_1", "stripe_account: none, not acct_1"),
        ("stripe_version", "2020-01-01", "stripe_version: 2026-09-30.endive, not 2020-01-01"),
    ],
)
def test_another_job_is_refused_unchanged(path: Path, field: str, value: Any, words: str) -> None:
    """journal-mismatch: the message names what differs; the file stays, also after a kill."""
    kill_a_writer(path, 3)
    before = digest(path)
    with pytest.raises(JournalError, match=words) as caught:
        FileJournal.open(path, attrs.evolve(HEADER, **{field: value}))
    assert caught.value.path == str(path)
    assert digest(path) == before


def test_one_run_at_a_time(path: Path) -> None:
    """While one run has it, the journal is locked for others, readers included."""
    journal = FileJournal.open(path, HEADER)
    with pytest.raises(JournalError, match="in use by another run"):
        FileJournal.open(path, HEADER)
    with pytest.raises(JournalError, match="in use by another run"):
        list(read_journal(path))
    journal.commit([row(1)], [])
    journal.close(is_complete=True)
    FileJournal.open(path, HEADER).close(is_complete=True)


def test_a_killed_run_leaves_what_it_committed(path: Path) -> None:
    """SIGKILL loses nothing; the next run knows that the journal was not closed."""
    kill_a_writer(path, 20)
    journal = FileJournal.open(path, HEADER)
    assert journal.was_cut_short
    assert journal.counts() == {("succeeded", None): 20}
    journal.close(is_complete=True)


def test_once_torn_always_suspect(path: Path) -> None:
    """Closing a journal well does not bring back what an earlier run may have lost."""
    kill_a_writer(path, 2)
    for _ in range(2):
        journal = FileJournal.open(path, HEADER)
        assert journal.was_cut_short
        journal.close(is_complete=True)


def unusual(path: Path, kind: str) -> None:
    other = path.with_name("other.sqlite")
    make(other)
    match kind:
        case "symlink":
            path.symlink_to(other)
        case "fifo":
            os.mkfifo(path, 0o600)
        case "folder":
            path.mkdir(0o700)
        case "readable":
            other.rename(path)
            path.chmod(0o644)
        case "empty":
            path.touch(0o600)
        case "text":
            path.touch(0o600)
            path.write_text("fca_1\nfca_2\n" * 100)
        case "short":
            path.touch(0o600)
            path.write_bytes(b"SQL")
        case "other database":
            path.touch(0o600)
            with sqlite3.connect(path) as database:
                database.execute("CREATE TABLE job (id TEXT)")
            database.close()
        case "log only":
            path.with_name("job.sqlite-wal").touch(0o600)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("symlink", "not a regular file"),
        ("fifo", "not a regular file"),
        ("folder", "not a regular file"),
        ("readable", "chmod 600"),
        ("empty", "is empty"),
        ("text", "damaged or not a journal"),
        ("short", "damaged or not a journal"),
        ("other database", "damaged or not a journal"),
        ("log only", "is missing"),
    ],
)
def test_other_files_are_refused(path: Path, kind: str, words: str) -> None:
    """journal-inject: a journal is a regular private file that this package wrote."""
    unusual(path, kind)
    before = digest(path) if path.is_file() else None
    with pytest.raises(JournalError, match=words):
        FileJournal.open(path, HEADER)
    with pytest.raises(JournalError, match=words):
        list(read_journal(path))
    assert before == (digest(path) if path.is_file() else None)


def test_another_users_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the file could have written anything into it."""
    make(path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(JournalError, match="belongs to another user"):
        FileJournal.open(path, HEADER)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """A path into nowhere is the caller's mistake, said at once."""
    with pytest.raises(JournalError, match="cannot write"):
        FileJournal.open(tmp_path / "nowhere" / "job.sqlite", HEADER)


ROWS = 60


def survivors(path: Path) -> dict[str, str] | None:
    """Return the rows of a damaged journal; None if it is refused."""
    try:
        journal = FileJournal.open(path, HEADER)
    except JournalError:
        return None
    found = journal.commit([row(number) for number in range(ROWS)], [])
    assert journal.was_cut_short or len(found) == ROWS
    journal.close(is_complete=True)
    return {row.account_id: row.status for row in found.values()}


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a killed run: the journal and its log."""
    path = tmp_path_factory.mktemp("torn") / "job.sqlite"
    make(path, ROWS, "open")
    kill_a_writer(path, ROWS)
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@pytest.mark.parametrize("name", ["job.sqlite", "job.sqlite-wal"])
@pytest.mark.parametrize("way", ["cut", "flip", "zero", "garbage"])
def test_damage_is_noticed_or_harmless(
    path: Path, torn: dict[str, bytes], name: str, way: str
) -> None:
    """journal-torn: cut or overwritten anywhere, it is refused, or known to be torn and true."""
    rng = random.Random(f"{name} {way}")
    expected = {row(number).account_id for number in range(ROWS)}
    for _ in range(40):
        for file, content in torn.items():
            damaged = bytearray(content)
            if file == name:
                place = rng.randrange(len(damaged))
                match way:
                    case "cut":
                        del damaged[place:]
                    case "flip":
                        damaged[place] ^= 1 << rng.randrange(8)
                    case "zero":
                        damaged[place:] = bytes(len(damaged) - place)
                    case _:
                        damaged[place : place + 50] = rng.randbytes(50)
            (path.parent / file).write_bytes(damaged)
            (path.parent / file).chmod(0o600)
        found = survivors(path)
        assert found is None or set(found) <= expected
        assert found is None or set(found.values()) <= {"open", "succeeded"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE task SET status = 'succeeded' WHERE status = 'failed'",
        "UPDATE task SET sent_at = sent_at + 1",
        "DELETE FROM task WHERE status = 'failed'",
        "UPDATE job SET created = created + 1",
    ],
)
def test_every_row_and_the_header_have_a_checksum(path: Path, change: str) -> None:
    """What SQLite itself would not notice is noticed."""
    make(path, 3, "failed")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(change)
    with pytest.raises(JournalError, match="damaged"):
        FileJournal.open(path, HEADER)


def test_a_log_that_was_lost_is_noticed(path: Path) -> None:
    """Without its log a journal is older than the job; it must not look complete."""
    make(path)
    kill_a_writer(path, 3)
    path.with_name("job.sqlite-wal").unlink()
    journal = FileJournal.open(path, HEADER)
    assert journal.was_cut_short
    journal.close(is_complete=True)


def test_outcomes_can_be_read_back(path: Path) -> None:
    """Finished accounts come back with status, reason and error; unfinished ones do not."""
    failure = InvalidRequestError("no", status=400, code="account_closed", request_id="req_1")
    journal = FileJournal.open(path, HEADER)
    failed = attrs.evolve(
        row(2, "failed"), error=stored_errors.dump(failure), reason="account_closed"
    )
    deferred = attrs.evolve(row(3, "deferred"), available_at=1_760_003_600)
    journal.commit([row(1), failed, deferred, row(4, "settling")], [])
    journal.close(is_complete=True)
    found = {str(outcome.status): outcome for outcome in read_journal(path)}
    assert set(found) == {"failed", "deferred"}
    error = found["failed"].error
    assert isinstance(error, InvalidRequestError)
    assert (error.code, error.status, error.request_id) == ("account_closed", 400, "req_1")
    assert str(error) == str(failure)
    opens = found["deferred"].available_at
    assert opens is not None
    assert opens.timestamp() == 1_760_003_600


def test_reading_needs_a_journal(path: Path) -> None:
    """A wrong path is an error, not an empty list."""
    with pytest.raises(JournalError, match="does not exist"):
        list(read_journal(path))


@pytest.mark.parametrize("text", ["{}", "[]", '{"class": "SystemExit", "message": "x"}'])
def test_only_our_own_errors_are_loaded(text: str) -> None:
    """A journal cannot name any other class."""
    with pytest.raises(ValueError, match="not an error of fcasync"):
        stored_errors.load(text)


def test_errors_survive_the_journal() -> None:
    """Class, message and Stripe's facts are the same after a restart."""
    cases: list[errors.FCError] = [
        ServerError("oops", status=503, type="api_error", doc_url="https://x"),
        APITimeoutError("slow"),
        errors.InvalidArgumentError("bad"),
    ]
    for error in cases:
        loaded = stored_errors.load(stored_errors.dump(error))
        assert type(loaded) is type(error)
        assert str(loaded) == str(error)
    assert stored_errors.load(stored_errors.dump(None)) is None


OLD = ROOT / "tests/data/format_1.journal"
"""Written by the first version: succeeded, failed, open, accepted (for its bank), deferred."""
OLD_HEADER = attrs.evolve(HEADER, api_key="test 0123")


@pytest.fixture
def old(path: Path) -> Path:
    path.write_bytes(OLD.read_bytes())
    path.chmod(0o600)
    return path


def test_a_journal_of_the_first_format_can_be_read(old: Path) -> None:
    """Its outcomes are what they were, and reading changes nothing."""
    before = digest(old)
    found = {outcome.account_id[-1]: outcome for outcome in read_journal(old)}
    assert {name: outcome.status for name, outcome in found.items()} == {
        "0": "succeeded",
        "1": "failed",
        "4": "deferred",
    }
    assert found["1"].reason == "account_closed"
    assert digest(old) == before


def test_a_journal_of_the_first_format_is_resumed_in_the_present_one(old: Path) -> None:
    """Every row is kept, and what waited for its bank waits for it still."""
    before = list(read_rows(old))
    journal = FileJournal.open(old, OLD_HEADER)
    assert journal.header.id == "0123456789abcdef" * 2
    assert journal.unacknowledged() == []
    assert journal.counts() == {
        ("succeeded", None): 1,
        ("failed", "account_closed"): 1,
        ("open", None): 1,
        ("settling", None): 1,
        ("deferred", "too_early"): 1,
    }
    (waiting,) = [row for row in before if row.status == "settling"]
    assert waiting.sent_at == 1_760_000_002 - CLOCK_SLACK
    journal.commit([row(9)], [attrs.evolve(row(9), seq=1, status="succeeded")])
    journal.close(is_complete=True)
    again = FileJournal.open(old, OLD_HEADER)
    assert not again.was_cut_short
    assert again.counts().total() == 6
    again.close(is_complete=True)


def test_another_job_leaves_an_old_journal_as_it_is(old: Path) -> None:
    """It is brought to the present format only by a run that may use it."""
    before = digest(old)
    with pytest.raises(JournalError, match="another job"):
        FileJournal.open(old, attrs.evolve(OLD_HEADER, operation="disconnect"))
    assert digest(old) == before


def test_outcomes_are_unacknowledged_until_the_caller_says_so(path: Path) -> None:
    """They come back in the order in which they were finished, and never after they were seen."""
    journal = FileJournal.open(path, HEADER)
    done = [
        attrs.evolve(row(n), status="succeeded", seq=seq) for n, seq in ((3, 1), (1, 2), (2, 3))
    ]
    journal.commit([row(1), row(2), row(3)], done)
    journal.close(is_complete=True, acknowledged=1)
    journal = FileJournal.open(path, HEADER)
    assert [found.seq for found in journal.unacknowledged()] == [2, 3]
    assert journal.last_seq == 3
    journal.commit([], [], 3)
    assert journal.unacknowledged() == []
    journal.close(is_complete=True)


def test_a_job_that_goes_on_is_not_finished(path: Path) -> None:
    """A finished job that is taken up again and killed does not look finished."""
    journal = FileJournal.open(path, HEADER)
    journal.commit([row(1)], [])
    journal.close(is_complete=True, finished_at=1_760_000_500)
    journal = FileJournal.open(path, HEADER)
    assert journal.finished_at == 1_760_000_500
    journal.commit([], [row(1, "open")])
    journal.close(is_complete=False)
    journal = FileJournal.open(path, HEADER)
    assert journal.finished_at is None
    journal.close(is_complete=True)


def test_a_file_system_without_hard_links_will_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory cards and network shares have none; the journal is still made all or nothing."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    make(path)
    assert len(list(read_journal(path))) == 3
    assert [entry.name for entry in path.parent.iterdir()] == ["job.sqlite"]


def test_a_closed_journal_is_free_at_once(path: Path) -> None:
    """No statement is cached that would keep the lock until the garbage is collected."""
    gc.disable()
    try:
        for _ in range(3):
            journal = FileJournal.open(path, HEADER)
            with pytest.raises(JournalError, match="in use"):
                FileJournal.open(path, HEADER)
            journal.close(is_complete=True)
    finally:
        gc.enable()
    # Where objects are not freed as soon as nobody refers to them, no statement may be kept.
    is_late = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert (OPTIONS["cached_statements"] == 0) == is_late


FULL_DISK = """
import resource, signal, sys
from fcasync.bulk import read_journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # from here on no file may grow
print(len(list(read_journal(sys.argv[1]))))
"""


def test_a_journal_on_a_full_disk_can_be_read(path: Path) -> None:
    """What a killed run left behind is shown, though there is no room for an index beside it."""
    kill_a_writer(path, 20)
    before = path.with_name("job.sqlite-wal").read_bytes()
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    # Under coverage, its own file could not be written either.
    environment = {name: text for name, text in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, env=environment
    )
    assert (done.stdout, done.stderr) == ("20\n", "")
    assert path.with_name("job.sqlite-wal").read_bytes() == before


@pytest.mark.parametrize("has_links", [True, False])
def test_one_of_two_creators_has_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    """Whoever comes second while a journal is made gets an error, and the first loses nothing."""
    publish = files.publish

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def late(built: Path, target: Path) -> None:
        monkeypatch.setattr(files, "publish", publish)
        make(path)
        if not has_links:
            monkeypatch.setattr(os, "link", refuse)
        publish(built, target)

    monkeypatch.setattr(files, "publish", late)
    with pytest.raises(JournalError, match="in use by another run"):
        FileJournal.open(path, HEADER)
    assert len(list(read_journal(path))) == 3
    assert [entry.name for entry in path.parent.iterdir()] == ["job.sqlite"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_foreign_folder_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A folder that is somebody else's, or read-only, is an error with the reason in it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcasync.bulk._journal.files.tempfile.mkstemp", refuse)
    with pytest.raises(JournalError, match=f"cannot write .*job.sqlite: {os.strerror(number)}"):
        FileJournal.open(path, HEADER)
