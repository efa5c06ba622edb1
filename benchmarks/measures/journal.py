"""What a journal costs: each account is written twice, and all are read when a job is resumed."""

from benchmarks import lab

LABELS = {
    "record_random": "write, ids in random order",
    "record_sorted": "write, ids in the order of their creation",
    "open": "open a finished journal",
    "resume": "open a journal that lacks one account, and pass the others",
}


def run(size: lab.Size) -> lab.Result:
    lines = []
    with lab.serving() as url, lab.Competitor("journals", url) as worker:
        for job, label in LABELS.items():
            times = size.recorded if job.startswith("record") else size.resumed
            worker.run(job, times=100)
            rounds = [worker.run(job, times=times) for _ in range(size.walks)]
            best = min(rounds, key=lambda sample: sample["held"])
            lines.append(lab.Line(label, best["held"] / times * 1e6, group=f"{times:,} accounts"))
    title = "The journal of a bulk job"
    return lab.Result("journal", title, "µs of CPU per account", lines, [])
