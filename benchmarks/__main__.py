"""``python -m benchmarks [--quick] [--results FOLDER] [MEASURE...]``.

Without a name it runs all measures of cost, which takes about two minutes. ``goodput`` measures
waiting rather than cost, takes a few minutes more, and runs only when it is named.
"""

import argparse
import time
from pathlib import Path

from rich.console import Console

from benchmarks import lab, report
from benchmarks.goodput import __main__ as goodput
from benchmarks.measures import BY_NAME, MEASURES

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*MEASURES, *BY_NAME, "goodput"]
    parser.add_argument(
        "measures", nargs="*", metavar="MEASURE", help=f"any of: {', '.join(names)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="run for a few seconds only, as a check"
    )
    parser.add_argument(
        "--results", type=Path, help="folder for the results (default: none with --quick)"
    )
    options = parser.parse_args()
    if unknown := set(options.measures).difference(names):
        parser.error(f"unknown measure: {', '.join(sorted(unknown))}")
    size = lab.QUICK if options.quick else lab.FULL
    folder = options.results or (None if options.quick else RESULTS)
    console, began = Console(), time.perf_counter()
    for name in options.measures or MEASURES:
        if name == "goodput":
            goodput.run(folder, console, quick=options.quick)
            continue
        result = (MEASURES | BY_NAME)[name](size)
        report.show(result, console)
        if folder:
            report.save(result, size, folder)
    console.print(f"{time.perf_counter() - began:.0f} s", style="dim")


if __name__ == "__main__":
    main()
