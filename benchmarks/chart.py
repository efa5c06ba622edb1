"""A result as an SVG of horizontal bars, for light and dark pages, legible on a telephone.

``python -m benchmarks.chart`` draws the committed results again, without measuring anything.
"""

import json
import textwrap
from html import escape
from itertools import groupby
from pathlib import Path

from benchmarks.lab import Line, Result, figure

WIDTH, EDGE, BAR, LABEL, VALUE = 480, 12, 12, 18, 64
"""Pixels: of the picture, at its sides, of a bar, of the label above it, of the value beside it."""
LONGEST = 48
"""Characters of a title on one line."""
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.group { font-weight: 600 }
.quiet { fill: #57606a }
.theirs { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .quiet { fill: #9198a1 }
  .theirs { fill: #6e7681 }
  .ours { fill: #4493f8 }
}
"""


def draw(result: Result) -> str:
    """Return the SVG; within a group, the length of a bar is proportional to its value."""
    parts, y = [], 24
    for line in textwrap.wrap(result.title, LONGEST):
        parts.append(_text(EDGE, y, line, "title"))
        y += 20
    parts.append(_text(EDGE, y, result.unit, "quiet"))
    y += 14
    for group, members in groupby(result.lines, lambda line: line.group):
        lines = list(members)
        if group:
            y += 22
            parts.append(_text(EDGE, y, group, "group"))
        longest = max(line.value for line in lines)
        for line in lines:
            y += LABEL
            parts.append(_bar(line, y, longest))
            y += BAR + 6
    y += EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(result.title)}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _bar(line: Line, y: int, longest: float) -> str:
    width = max(1.0, line.value / longest * (WIDTH - 2 * EDGE - VALUE))
    kind = "ours" if line.label.startswith(("fcasync", "from fcasync")) else "theirs"
    top = y + 5
    return (
        _text(EDGE, y, line.label, "")
        + f'<rect class="{kind}" x="{EDGE}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        + _text(EDGE + width + 6, top + BAR - 1, figure(line.value), "quiet")
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def load(path: Path) -> Result:
    """Return the result that is stored at *path*."""
    content = json.loads(path.read_text())
    lines = [Line(**line) for line in content["lines"]]
    return Result(content["measure"], content["title"], content["unit"], lines, content["notes"])


def main() -> None:
    """Draw every stored result."""
    from benchmarks.goodput import chart as goodput

    for path in sorted((Path(__file__).parent / "results").glob("*.json")):
        own = draw(load(path)) if path.stem != "goodput" else goodput.draw(goodput.load(path))
        path.with_suffix(".svg").write_text(own)


if __name__ == "__main__":
    main()
