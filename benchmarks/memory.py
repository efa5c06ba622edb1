"""How much memory this process has needed so far; imports nothing that costs."""

import resource
import sys


def peak_kib() -> int:
    """Return the peak resident memory, in KiB."""
    if sys.platform == "linux":
        # The value of getrusage() includes the peak of the parent process.
        with open("/proc/self/status") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
