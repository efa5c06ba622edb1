"""The README, followed as a reader would follow it."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

import fcasync
from fcasync import webhooks
from tests._paths import ROOT
from tests._reader import Reader, blocks, missing, unpasteable

README = (ROOT / "README.md").read_text()


async def test_every_block_can_be_pasted_in_order(tmp_path: Path) -> None:
    """From an empty directory, with nothing but the README, everything works as it says."""
    if absent := missing(README):
        pytest.skip(f"not installed: {', '.join(absent)}: pip install '.[dev]'")
    reader = Reader(tmp_path, {"STRIPE_API_KEY": "", "STRIPE_API_BASE": ""})
    try:
        await reader.follow(README)
    finally:
        await reader.close()
    printed = reader.output
    assert '{"status":"pending"}' in printed, printed  # the web service
    assert "relink" in printed or "none" in printed, printed  # account.action
    assert "2 passed" in printed, printed  # the tests that the README shows


def test_a_prompt_takes_every_block() -> None:
    """What is not a file can be pasted into `python -m asyncio` as it stands."""
    assert unpasteable(README) == []


def test_the_notebook_has_what_the_readme_shows() -> None:
    """The notebook that the tests execute contains each line of the README's block."""
    (code,) = (block.code for block in blocks(README) if "AsyncExitStack" in block.code)
    cells = json.loads((ROOT / "tests" / "notebooks" / "explore.ipynb").read_text())["cells"]
    lines = {line for cell in cells for line in "".join(cell["source"]).splitlines()}
    assert set(code.splitlines()) <= lines | {""}


def test_both_commands_include_their_setup() -> None:
    """Each line creates its virtual environment with plain venv and pip."""
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert len(lines) == 2
    assert all(" .venv/bin/pip install " in line for line in lines)


def test_every_error_in_the_readme_exists() -> None:
    """The drawn tree and the examples name real classes."""
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", README))
    assert {name for name in drawn if not hasattr(fcasync, name)} <= {"ValueError"}


def test_the_table_of_calls_is_complete() -> None:
    """It names every method of every resource, and none that does not exist."""
    rows = dict(re.findall(r"^\| `(?:client|fcasync)\.([\w.]+)` \| (.*) \|$", README, re.MULTILINE))
    for name in ("accounts", "sessions", "transactions", "events", "bulk"):
        resource = getattr(fcasync.Client("sk_test_1"), name)
        methods = {each for each in dir(resource) if not each.startswith("_")}
        assert set(re.findall(r"`(\w+)`", rows[name])) == methods - {"with_raw_response"}, name
    for name in re.findall(r"`(\w+)`", rows["webhooks"]):
        assert hasattr(webhooks, name) or hasattr(webhooks.EventRouter, name), name


def test_links_work_away_from_the_repository() -> None:
    """The package index shows the same text, where a relative link leads nowhere."""
    assert re.findall(r"\]\((?!https://)[^)]*\)", README) == []


def test_links_into_the_repository_lead_to_files() -> None:
    """What they name is there; a source distribution is without the repository's own folder."""
    pages = re.findall(r"fcasync/fcasync/(?:(?:blob|tree)/)?main/([^)\s]+)", README)
    assert pages
    is_repository = (ROOT / ".github").exists()
    looked_for = [page for page in pages if is_repository or not page.startswith(".github/")]
    assert [page for page in looked_for if not (ROOT / page).exists()] == []


def test_the_guide_is_listed() -> None:
    """Every page that is shipped has a line in the README."""
    shipped = {entry.name for entry in (files("fcasync") / "guide").iterdir()}
    listed = set(re.findall(r"main/fcasync/guide/(\w+\.md)", README))
    assert {name for name in shipped if name.endswith(".md")} == listed


def test_the_api_version_is_the_one_that_is_sent() -> None:
    """The README says which version of Stripe's API the models are written for."""
    assert fcasync.API_VERSION in README
