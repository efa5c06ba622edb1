"""A page of 100 full accounts, from bytes to objects."""

from benchmarks import decoders, lab


def run(size: lab.Size) -> lab.Result:
    notes: list[str] = []
    competitors = {name: lab.Competitor(f"decoders.{name}") for name in decoders.LABELS}
    with lab.present(competitors, notes) as present:
        arguments = {name: {"times": size.decodes} for name in present}
        samples = lab.compare(present, size.rounds, "decode", arguments)
    title = "Decode a page of 100 full accounts"
    lines = lab.lines(samples, decoders.LABELS)
    return lab.Result("decode", title, "µs of CPU per account", lines, notes)
