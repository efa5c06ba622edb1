"""``python -m benchmarks.goodput [--quick] [--results FOLDER]``."""

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks.goodput import measure, report, schedule

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--results", type=Path, help=f"where files go; {RESULTS} unless quick")
    options = parser.parse_args()
    found = measure.run(schedule.QUICK if options.quick else schedule.FULL)
    report.show(found, Console())
    if folder := options.results or (None if options.quick else RESULTS):
        report.save(found, folder)


if __name__ == "__main__":
    main()
