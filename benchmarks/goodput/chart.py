"""The goodput over time of each competitor, one above the other, as an SVG."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.goodput.measure import BIN, Result, Score
from benchmarks.goodput.schedule import BURST, LATENCY, SCHEDULES, Phase, Schedule

WIDTH, LEFT, RIGHT = 480, 48, 12
EDGE = 12
TOP, HIGH, STRIP, GAP = 132, 60, 16, 60
"""Pixels: above all rows, the accounts of a row, its strip of 429s, and below it."""
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.name { font-size: 14px; font-weight: 600 }
.quiet { fill: #57606a }
.theirs { fill: #8c959f }
.ours { fill: #0969da }
.refused { fill: #cf222e }
.limit { fill: none; stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 4 3 }
.axis { stroke: #57606a; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .quiet { fill: #9198a1 }
  .theirs { fill: #6e7681 }
  .ours { fill: #4493f8 }
  .refused { fill: #f85149 }
  .limit { stroke: #e6edf3 }
  .axis { stroke: #9198a1 }
}
"""


class _Plane:
    """Turns seconds and rates into pixels."""

    def __init__(self, result: Result) -> None:
        self._seconds = result.schedule.seconds
        most = [phase.rate for phase in result.schedule.phases]
        most += [count / BIN for score in result.scores.values() for count in score.done]
        self._most = max(most) * 1.05

    def x(self, seconds: float) -> float:
        return LEFT + seconds / self._seconds * (WIDTH - LEFT - RIGHT)

    def high(self, rate: float) -> float:
        return rate / self._most * HIGH


def draw(result: Result) -> str:
    """Return the SVG."""
    plane, y = _Plane(result), TOP
    title = "Bulk refresh at a rate limit that is not known"
    parts = [_text(EDGE, 24, title, "title")]
    parts += [
        _text(EDGE, 44 + 18 * number, line, "quiet")
        for number, line in enumerate(_legend(result.schedule))
    ]
    for name, score in result.scores.items():
        parts.append(_row(score, name == "fcasync", result.schedule, plane, y))
        y += HIGH + STRIP + GAP
    parts += [
        _text(plane.x(begin), y - 34, f"{begin:g} s: {phase.label}", "quiet")
        for begin, phase in result.schedule.spans()
    ]
    y -= 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(title)}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _legend(schedule: Schedule) -> tuple[str, ...]:
    return (
        "accounts refreshed a second",
        f"dashed: the limit, with a burst of {BURST:.0f}; latency {LATENCY * 1000:.0f} ms",
        "red: the share of requests that got a 429",
    )


def _row(score: Score, is_ours: bool, schedule: Schedule, plane: _Plane, y: float) -> str:
    ground = y + HIGH
    facts = (
        f"{score.goodput:.2f} of the limit, {score.per_account:.3g} requests per account, "
        f"others refused {score.others_refused:.0%}"
    )
    kind = "ours" if is_ours else "theirs"
    tall = [plane.high(count / BIN) for count in score.done]
    share = [_share(*pair) for pair in zip(score.limited, score.done, strict=True)]
    return (
        _text(EDGE, y - 24, score.label, "name")
        + _text(EDGE, y - 7, facts, "quiet")
        + _bars(kind, tall, plane, ground, up=True)
        + _bars("refused", [part * STRIP for part in share], plane, ground, up=False)
        + _limit(schedule, plane, ground)
        + f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{ground}" y2="{ground}"/>'
        + "".join(
            _text(LEFT - 6, ground - plane.high(rate) + 4, f"{rate:.0f}/s", "quiet", "end")
            for rate in sorted({phase.rate for phase in schedule.phases})
        )
    )


def _share(limited: int, done: int) -> float:
    return limited / (limited + done) if limited else 0.0


def _bars(kind: str, sizes: Sequence[float], plane: _Plane, ground: float, *, up: bool) -> str:
    wide = plane.x(BIN) - plane.x(0) - 1
    return "".join(
        f'<rect class="{kind}" x="{plane.x(place * BIN):.1f}" width="{wide:.1f}" '
        f'y="{ground - size if up else ground + 1:.1f}" height="{size:.1f}"/>'
        for place, size in enumerate(sizes)
        if size
    )


def _limit(schedule: Schedule, plane: _Plane, ground: float) -> str:
    points = []
    for begin, phase in schedule.spans():
        level = ground - plane.high(phase.rate)
        points += [(plane.x(begin), level), (plane.x(begin + phase.seconds), level)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="limit" points="{path}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def load(path: Path) -> Result:
    """Return the result that is stored at *path*."""
    content = json.loads(path.read_text())
    phases = [Phase(**phase) for phase in content["phases"]]
    schedule = SCHEDULES[content["size"]]._replace(phases=tuple(phases))
    scores = {name: Score(**score) for name, score in content["scores"].items()}
    return Result(schedule, scores, content["notes"])
