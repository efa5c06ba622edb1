"""``python -m benchmarks.goodput [--quick] [--results FOLDER]``."""

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks.goodput import measure, report, schedule

RESULTS = Path(__file__).parents[1] / "results"


def run(folder: Path | None, console: Console, *, quick: bool) -> None:
    """Measure, print the table, and write the files into *folder* unless it is None."""
    result = measure.run(schedule.QUICK if quick else schedule.FULL)
    report.show(result, console)
    if folder:
        report.save(result, folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="run for a few seconds only, as a check"
    )
    parser.add_argument(
        "--results",
        type=Path,
        help=f"folder for the results (default: {RESULTS}, none with --quick)",
    )
    options = parser.parse_args()
    run(options.results or (None if options.quick else RESULTS), Console(), quick=options.quick)


if __name__ == "__main__":
    main()
