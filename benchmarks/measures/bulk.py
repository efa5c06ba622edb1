"""A bulk refresh, per account, where no rate limit is in the way."""

from benchmarks import lab, peers

CONCURRENCY = 64
JOBS = {"without a journal": "bulk", "with a journal": "bulk_journal"}
POOLS = {
    "fcasync": "single calls of fcasync, by a pool of workers",
    "raw": f"{peers.LABELS['raw']}, by a pool of workers",
}


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    modules = [*JOBS.values(), *POOLS]
    with lab.serving() as url:
        competitors = {name: lab.Competitor(f"peers.{name}", url) for name in modules}
        with lab.present(competitors, notes) as present:
            calls = {"times": size.bulk, "concurrency": CONCURRENCY}
            samples = lab.compare(present, size.rounds, "bulk", dict.fromkeys(present, calls))
    for group, job in JOBS.items():
        labels = {job: "fcasync's bulk refresh", **POOLS}
        pools = {name: samples[name] for name in labels}
        lines += lab.lines(pools, labels, group=group, ours=job)
    title = f"Refresh {size.bulk:,} accounts in bulk, {CONCURRENCY} at a time"
    return lab.Result("bulk", title, "µs of CPU per account", lines, notes)
