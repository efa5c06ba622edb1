"""A refresh over TLS: the same bytes, encrypted."""

import tempfile
from pathlib import Path

from benchmarks import lab, peers

CONCURRENCY = 32
NAMES = ("fcasync", "raw", "plain")


def run(size: lab.Size) -> lab.Result:
    title = f"Refresh one account over TLS, {CONCURRENCY} at a time"
    unit = "µs of CPU per call"
    try:
        import trustme
    except ModuleNotFoundError:
        return lab.Result("tls", title, unit, [], ["left out: trustme is not installed"])
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        trusted, own = Path(folder, "ca.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(str(trusted))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
        with lab.serving(str(own)) as url:
            competitors = {
                name: lab.Competitor(f"peers.{name}", url, SSL_CERT_FILE=str(trusted))
                for name in NAMES
            }
            with lab.present(competitors, notes) as present:
                calls = {"times": size.calls[""], "concurrency": CONCURRENCY}
                arguments = dict.fromkeys(present, calls)
                samples = lab.compare(present, size.rounds, "refresh", arguments)
    return lab.Result("tls", title, unit, lab.lines(samples, peers.LABELS), notes)
