"""The cost per account and the memory of a walk, as the number of accounts grows."""

from benchmarks import data, lab


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    with lab.serving() as url:
        for total in size.totals:
            with lab.Competitor("peers.fcasync", url) as competitor:
                competitor.run("walk", times=data.PAGE)
                # Small walks are repeated to reduce noise.
                times = max(1, min(5, size.totals[-1] // total // 10))
                samples = [competitor.run("walk", times=total) for _ in range(times)]
            best = min(sample["cpu"] for sample in samples) / total * 1e6
            lines.append(lab.Line(f"{total:,} accounts", best))
            notes.append(f"{total:,} accounts: at most {samples[-1]['peak_kib'] / 1024:.0f} MiB")
    title = "Walk through ever more accounts"
    return lab.Result("scale", title, "µs of CPU per account", lines, notes)
