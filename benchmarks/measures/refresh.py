"""A typed POST that refreshes an account."""

from benchmarks import lab, peers

MANY = 256


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    with lab.serving() as url:
        competitors = {name: lab.Competitor(f"peers.{name}", url) for name in peers.LABELS}
        with lab.present(competitors, notes) as present:
            for concurrency in size.concurrencies:
                arguments = {
                    name: {
                        "times": max(size.calls.get(name, size.calls[""]), concurrency),
                        "concurrency": concurrency,
                    }
                    for name in present
                }
                # A high concurrency means many refreshes per round, so fewer rounds suffice.
                rounds = size.rounds if concurrency < MANY else size.rounds // 2
                samples = lab.compare(present, rounds, "refresh", arguments)
                group = f"{concurrency} at a time"
                lines += lab.lines(samples, peers.LABELS, group=group)
    title = "Refresh one account: a typed POST with an idempotency key and retries"
    return lab.Result("refresh", title, "µs of CPU per call", lines, notes)
