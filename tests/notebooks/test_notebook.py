"""The notebook, executed as Jupyter would."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel", reason="needs ipykernel")
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[dev-full]'")

HERE = Path(__file__).parent
NOTEBOOK = HERE / "explore.ipynb"


@pytest.fixture(scope="module")
def executed() -> Any:
    """The notebook after a run of all its cells."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    runner = nbclient.NotebookClient(notebook, timeout=60, resources=_resources())
    asyncio.run(runner.async_execute())
    return notebook


def _resources() -> dict[str, Any]:
    """Run in the project's root, so that the package can be imported."""
    return {"metadata": {"path": str(HERE.parent.parent)}}


def outputs(notebook: Any) -> list[Any]:
    return [each for cell in notebook.cells for each in cell.get("outputs", [])]


def test_it_is_committed_without_outputs() -> None:
    """Outputs change with every run, and would hide real changes."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert outputs(notebook) == []


def test_no_cell_fails_or_warns(executed: Any) -> None:
    """Top-level await and `async for` work, and nothing is written to stderr."""
    kinds = {(each.output_type, each.get("name")) for each in outputs(executed)}
    assert kinds == {("execute_result", None), ("stream", "stdout"), ("display_data", None)}


def test_objects_are_shown_as_tables(executed: Any) -> None:
    """Pages, accounts and balances are tables, with a text alternative."""
    shown = [each.data for each in outputs(executed) if each.output_type == "execute_result"]
    tables = [data for data in shown if "text/html" in data]
    titles = [data["text/html"].partition("</caption>")[0].rpartition(">")[2] for data in tables]
    assert titles == [
        "Page of 5 Accounts, more follow",
        "Account",
        "Balance",
        "Page of 5 Transactions, more follow",
        "Bulk refresh",
        "3 Accounts",
    ]
    assert all("text/plain" in data for data in shown)


def test_no_key_is_shown(executed: Any) -> None:
    """The sandbox's key is a secret like any other."""
    shown = str(outputs(executed))
    assert "<Client sk_test_…" in shown
    assert re.findall(r"sk_test_\w+", shown) == []


def test_the_bar_and_the_plot_are_drawn(executed: Any) -> None:
    """The bar ends full, without any widget; the plot is a picture."""
    shown = [each.data for each in outputs(executed) if each.output_type == "display_data"]
    (bar,) = [data["text/html"] for data in shown if "<progress" in data.get("text/html", "")]
    assert 'value="120" max="120"' in bar
    assert [data for data in shown if "image/png" in data]


def test_money_is_shown_by_its_currency(executed: Any) -> None:
    """No cell divides by a hundred, which is wrong for yen."""
    sources = "".join("".join(cell.source) for cell in executed.cells)
    assert "/ 100" not in sources
    printed = "".join(each.text for each in outputs(executed) if each.output_type == "stream")
    assert " USD " in printed
