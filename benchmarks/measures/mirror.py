"""A first sync of a mirror in SQLite, beside its two halves.

One is a walk over the same pages that stores nothing, the other an insert of the same rows that
reads nothing: what a mirror cannot go below is the sum of both.
"""

from benchmarks import lab

LABELS = {
    "fcasync": "mirror",
    "walk": "walk, nothing stored",
    "insert": "prepared rows inserted, nothing read",
}


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    with lab.serving() as url:
        for total in size.mirrored:
            competitors = {
                "fcasync": lab.Competitor("peers.mirror", url),
                "walk": lab.Competitor("peers.sync", url),
                "insert": lab.Competitor("peers.insert", url),
            }
            with lab.present(competitors, notes) as present:
                arguments = {name: {"times": total} for name in present}
                samples = lab.compare(present, size.walks, "walk", arguments)
            lines += lab.lines(samples, LABELS, group=f"{total:,} transactions")
            peak = samples["fcasync"][-1]["peak_kib"] / 1024
            notes.append(f"{total:,} transactions: the mirror needs at most {peak:.0f} MiB")
    title = "Mirror the transactions of accounts that have 100 each"
    return lab.Result("mirror", title, "µs of CPU per transaction", lines, notes)
