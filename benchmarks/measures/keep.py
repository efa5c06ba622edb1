"""The memory that an account takes."""

from benchmarks import decoders, lab


def run(size: lab.Size) -> lab.Result:
    notes: list[str] = []
    competitors = {name: lab.Competitor(f"decoders.{name}") for name in decoders.LABELS}
    with lab.present(competitors, notes) as present:
        held = {name: each.run("keep", times=size.kept)["held"] for name, each in present.items()}
    lines = [
        lab.Line(decoders.LABELS[name], value, ratio=held["fcasync"] / value)
        for name, value in held.items()
    ]
    title = f"Keep {size.kept:,} full accounts"
    return lab.Result("keep", title, "bytes per account", lines, notes)
