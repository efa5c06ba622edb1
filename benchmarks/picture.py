"""The picture of a running job in the README: ``python -m benchmarks.picture``.

It runs the README's own command in a terminal of its own, looks at the screen while the bar is at
work and when the job is done, and writes both as ``results/job.svg``.
"""

import io
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 92, 16
COMMAND = "fcasync refresh --sandbox=500 --all --features balance --wait"
TARGET = Path(__file__).parent / "results" / "job.svg"
ENOUGH = 0.55
"""The share of the job's time after which the bar is worth looking at."""


def screens() -> list[tuple[float, list[Text]]]:
    """Run the command; return what the screen showed, and when."""
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        [sys.executable, "-m", *COMMAND.split()],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    began, found = time.monotonic(), []
    while True:
        ready, _, _ = select.select([leader], [], [], 0.2)
        if ready:
            try:
                # pyte knows no dim text; what is dim becomes grey.
                stream.feed(os.read(leader, 65_536).replace(b"\x1b[2m", b"\x1b[90m"))
            except OSError:  # the other end is closed
                break
        found.append((time.monotonic() - began, lines(screen)))
    process.wait(timeout=30)
    os.close(leader)
    found.append((time.monotonic() - began, lines(screen)))
    return found


def lines(screen: pyte.Screen) -> list[Text]:
    """Return the lines of a screen that are not empty, with their colours."""
    shown = []
    for row in range(screen.lines):
        line = Text()
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            line.append(cell.data, style=_style(cell))
        line.rstrip()
        if line.plain:
            shown.append(line)
    return shown


def _style(cell: pyte.screens.Char) -> str:
    colour = "" if cell.fg == "default" else cell.fg
    if len(colour) == 6 and all(digit in "0123456789abcdef" for digit in colour):
        colour = f"#{colour}"
    return f"{'bold ' if cell.bold else ''}{colour.replace('bright', 'bright_')}".strip()


def main() -> None:
    """Draw the picture."""
    found = screens()
    end, last = found[-1]
    bars = [shown for at, shown in found if at >= end * ENOUGH and shown]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {COMMAND}", style="bold"))
    for line in bars[0]:
        console.print(line, no_wrap=True)
    console.print()
    for line in last[1:]:
        console.print(line, no_wrap=True)
    TARGET.write_text(console.export_svg(title="fcasync"))
    print(TARGET)


if __name__ == "__main__":
    main()
