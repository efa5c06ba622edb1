"""A walk through all accounts, page by page."""

from benchmarks import lab, peers

# The two official clients differ in how they send, but a walk is mostly decoding.
PEERS = ("fcasync", "raw", "plain", "stripe_aiohttp")


def run(size: lab.Size) -> lab.Result:
    notes: list[str] = []
    with lab.serving() as url:
        competitors = {name: lab.Competitor(f"peers.{name}", url) for name in PEERS}
        with lab.present(competitors, notes) as present:
            arguments = {name: {"times": size.walk} for name in present}
            samples = lab.compare(present, size.walks, "walk", arguments)
    title = f"Walk through {size.walk:,} accounts by pages of 100"
    lines = lab.lines(samples, peers.LABELS)
    return lab.Result("walk", title, "µs of CPU per account", lines, notes)
