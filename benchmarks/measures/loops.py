"""uvloop and asyncio under fcasync and under the lower bound."""

from benchmarks import lab, peers

CONCURRENCY = 32


def run(size: lab.Size) -> lab.Result:
    notes: list[str] = []
    raw = peers.LABELS["raw"]
    labels = {
        "fcasync": "fcasync on asyncio",
        "raw": f"{raw}, asyncio",
        "fcasync_uvloop": "fcasync on uvloop",
        "raw_uvloop": f"{raw}, uvloop",
    }
    with lab.serving() as url:
        competitors = {
            name: lab.Competitor(
                f"peers.{name.partition('_')[0]}", url, "uvloop" if "_" in name else "asyncio"
            )
            for name in labels
        }
        with lab.present(competitors, notes) as present:
            calls = {"times": size.calls[""], "concurrency": CONCURRENCY}
            samples = lab.compare(present, size.rounds, "refresh", dict.fromkeys(present, calls))
    title = f"Refresh one account on either event loop, {CONCURRENCY} at a time"
    lines = lab.lines(samples, labels)
    return lab.Result("loops", title, "µs of CPU per call", lines, notes)
