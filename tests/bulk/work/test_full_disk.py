"""A disk that is really full while a job writes its journal."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fcasync.bulk import read_journal
from fcasync.errors import JournalError
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

Resize = Callable[[str], None]


def mount(folder: Path, options: str) -> None:
    mount_it = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(mount_it, check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 256 KiB; its size can be changed by mounting it again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, "size=256k,mode=0700")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_job_stops_at_a_full_disk_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    """What could not be written down is not sent; nothing is sent twice, and nothing is lost."""
    path = small_disk / "job.sqlite"
    network = FakeNetwork(ids(5000), pace=fast())
    with pytest.raises(JournalError, match="cannot be written") as caught:
        work_off(network, journal=path)
    assert caught.value.path == str(path)
    assert shutil.disk_usage(small_disk).free < 32 * 1024
    assert 0 < len(network.executions) < 5000
    mount(small_disk, "remount,size=16m")
    _, report = work_off(network, journal=path)
    assert report.by_status()["succeeded"] == 5000
    assert network.executions == dict.fromkeys(network.ids, 1)
    assert len(list(read_journal(path))) == 5000


def test_a_job_that_finds_a_full_disk_begins_nothing(small_disk: Path) -> None:
    """It gets an error at once, as there is no room, and no request is made of Stripe."""
    (small_disk / "ballast").write_bytes(b"x" * shutil.disk_usage(small_disk).free)
    network = FakeNetwork(ids(10), pace=fast())
    with pytest.raises(JournalError):
        work_off(network, journal=small_disk / "job.sqlite")
    assert network.executions == {}
    assert [file.name for file in small_disk.iterdir()] == ["ballast"]
