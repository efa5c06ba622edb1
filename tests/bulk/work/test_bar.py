"""The bar: what it says, and what of it fits into a terminal."""

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.bulk._report import Progress
from fcasync.bulk._work import bar
from fcasync.bulk._work.facts import CLOCK, count, facts, fitted


def progress(**figures: Any) -> Progress:
    """Return the figures of a job that waits for banks, with failures, unless others are given."""
    known: dict[str, Any] = {
        "done": 161,
        "failed": 18,
        "skipped": 4,
        "deferred": 21,
        "requests": 155,
        "in_flight": 3,
        "waiting": 103,
        "settling": 64,
        "total": 264,
        "rate": 28.0,
        "limit": None,
        "eta": None,
    }
    return Progress(**{**known, **figures})


def drawn(now: Progress, width: int) -> str:
    """Return the last line that a terminal of *width* characters shows."""
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    console = rich.Console(file=out, force_terminal=True, width=width, no_color=True)
    with bar.TerminalBar(console) as shown:
        shown.show("refresh", now)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert all(len(line) <= width for line in lines)
    return lines[-1]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            200,
            (
                "161 of 264 sent 155, 28 requests/s, waiting for banks 64, 4 skipped, "
                "21 deferred, 18 failed 0:00:00"
            ),
        ),
        (80, "161 of 264 waiting for banks 64, 21 deferred, 18 failed 0:00:00"),
    ],
)
def test_a_line_fits_into_the_terminal(width: int, said: str) -> None:
    """Whole fields are dropped, and nothing is cut."""
    line = drawn(progress(), width)
    assert line.endswith(said)
    assert "…" not in line
    assert line.startswith("refresh ")


def test_an_outage_is_said_at_80_columns() -> None:
    """It matters more than anything but failures."""
    line = drawn(progress(outage="only 503 for 12 s"), 80)
    assert "only 503 for 12 s" in line
    assert "18 failed" in line
    assert "…" not in line


def test_deferred_accounts_are_counted_apart() -> None:
    """They come back by themselves, and skipped ones do not."""
    assert "4 skipped, 21 deferred" in facts(progress())
    assert "4 skipped, 21 deferred" in str(progress())


@given(
    st.integers(30, 250),
    st.fixed_dictionaries(
        {
            name: st.integers(0, 9_999)
            for name in ("done", "failed", "skipped", "deferred", "requests", "settling")
        }
    ),
    st.none() | st.integers(0, 9_999),
    st.none() | st.floats(0, 1e5),
)
def test_every_line_fits_and_is_made_of_whole_fields(
    width: int, figures: dict[str, int], total: int | None, eta: float | None
) -> None:
    """Whatever the figures, from 30 columns on."""
    now = progress(**figures, total=total, eta=eta, limit=25.0)
    row = fitted("refresh", now, width)
    assert row.name in ("refresh", "")
    assert row.count == count(now)
    assert set(row.facts.split(", ")) <= {*facts(now).split(", "), ""}
    parts = len(row.name), row.bar, len(row.count), len(row.facts), CLOCK
    assert sum(parts) + len(parts) - 1 <= width
