"""The benchmarks and their tools work."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest

from benchmarks import chart, data, lab, peers, server
from benchmarks.measures import BY_NAME, MEASURES
from tests._paths import ROOT


def test_a_quick_run_writes_its_results(tmp_path: Path) -> None:
    """One command runs the named measures, and writes a file and a chart for each."""
    names = ["refresh", "layers"]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--results", str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("json", "svg")
    }
    written = json.loads((tmp_path / "refresh.json").read_text())
    labels = {line["label"] for line in written["lines"]}
    assert peers.LABELS["fcasync"] in labels
    assert peers.LABELS["raw"] in labels
    assert all(line["value"] > 0 for line in written["lines"])
    assert {"cpu", "date", "python", "versions"} <= written["machine"].keys()
    ET.parse(tmp_path / "refresh.svg")


def test_every_committed_result_has_a_measure() -> None:
    """No result is left over from a removed measure, and all are results of full runs."""
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        written = json.loads(path.read_text())
        assert written["measure"] in {*MEASURES, *BY_NAME, "goodput"}
        assert written["size"] == "full"
        assert path.with_suffix(".svg").exists()


class Wire:
    """Collects what a connection writes."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def write(self, answer: bytes) -> None:
        self.answers.append(answer)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_server_finds_the_end_of_each_request(size: int) -> None:
    """However requests are split into chunks, each gets one response."""
    post = b"POST /v1/x/refresh HTTP/1.1\r\ncontent-length: 19\r\n\r\nfeatures[0]=balance"
    stream = post + b"GET /v1/x?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n" + post
    wire, connection = Wire(), server.Connection(server.Answers())
    connection.connection_made(wire)
    for start in range(0, len(stream), size):
        connection.data_received(stream[start : start + size])
    assert [b'"object": "list"' in answer for answer in wire.answers] == [False, True, False]


def test_the_server_walks_to_the_end_of_a_customers_accounts() -> None:
    """Each page follows the last account of the page before, and the last page has no more."""
    answers, cursor, last_ids = server.Answers(), "", []
    while True:
        line = f"GET {data.ROOT}?account_holder[customer]=cus_300&limit=100{cursor} HTTP/1.1"
        page = orjson.loads(answers.to(line.encode()).partition(b"\r\n\r\n")[2])
        assert len(page["data"]) == data.PAGE
        last_ids.append(page["data"][-1]["id"])
        if not page["has_more"]:
            break
        cursor = f"&starting_after={last_ids[-1]}"
    assert last_ids == [data.account_id(number) for number in (99, 199, 299)]


def test_a_chart_draws_each_line() -> None:
    """The lengths of bars are proportional within a group; text is escaped; ours stands out."""
    lines = [lab.Line("fcasync", 1.0, "a & b"), lab.Line("<theirs>", 4.0, "a & b")]
    svg = chart.draw(lab.Result("name", "Title", "µs", lines, []))
    bars = [each for each in ET.fromstring(svg).iter() if each.tag.endswith("rect")]
    assert [bar.get("class") for bar in bars] == ["ours", "theirs"]
    assert float(bars[1].get("width", 0)) == pytest.approx(4 * float(bars[0].get("width", 0)))
    assert "prefers-color-scheme: dark" in svg


def test_a_missing_library_is_noted_and_the_others_run() -> None:
    """A competitor whose library is not installed is left out with a note."""
    notes: list[str] = []
    competitors = {
        "here": lab.Competitor("decoders.parsed"),
        "gone": lab.Competitor("decoders.parsed", loop="no_such_loop"),
    }
    with lab.present(competitors, notes) as present:
        assert list(present) == ["here"]
    assert notes == ["gone is left out: no_such_loop is not installed"]


def test_ratios_compare_the_same_round() -> None:
    """A machine that slows down between rounds does not change the ratios."""
    samples = {
        "fcasync": [{"cpu": 2.0, "wall": 2.0}, {"cpu": 20.0, "wall": 20.0}],
        "other": [{"cpu": 4.0, "wall": 4.0}, {"cpu": 40.0, "wall": 40.0}],
    }
    ours, other = lab.lines(samples, {"fcasync": "fcasync", "other": "other"})
    assert (ours.ratio, other.ratio, other.spread) == (1.0, 0.5, (0.5, 0.5))
