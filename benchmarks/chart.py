"""A result as an SVG of horizontal bars, for light and dark pages."""

from html import escape
from itertools import groupby

from benchmarks.lab import Line, Result, figure

WIDTH, LABELS, BAR, GAP = 900, 370, 18, 10
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
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
    parts = [_text(0, 18, result.title, "title"), _text(0, 38, result.unit, "quiet")]
    y = 62
    for group, members in groupby(result.lines, lambda line: line.group):
        lines = list(members)
        if group:
            parts.append(_text(0, y + 8, group, "quiet"))
            y += 20
        longest = max(line.value for line in lines)
        for line in lines:
            parts.append(_bar(line, y, longest))
            y += BAR + GAP
        y += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(result.title)}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _bar(line: Line, y: int, longest: float) -> str:
    width = max(1.0, line.value / longest * (WIDTH - LABELS - 90))
    kind = "ours" if line.label.startswith(("fcasync", "from fcasync")) else "theirs"
    middle = y + BAR - 5
    return (
        _text(LABELS - 8, middle, line.label, "", "end")
        + f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        + _text(LABELS + width + 6, middle, figure(line.value), "quiet")
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
