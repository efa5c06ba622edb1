"""The catalogue of bad inputs: a test covers each row."""

import json
from pathlib import Path

from tests._paths import DATA

CATALOGUE = DATA / "cases" / "bad_inputs.json"


def test_every_bad_input_has_its_test() -> None:
    """The id of each row occurs in a test."""
    sources = [path.read_text() for path in Path(__file__).parent.rglob("test_*.py")]
    text = "\n".join(sources).replace("_", "-")
    rows = [row["id"] for row in json.loads(CATALOGUE.read_text())]
    assert [row for row in rows if row not in text] == []
