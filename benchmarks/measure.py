"""Reading what the kernel knows of processes, and summing up samples."""

import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU time that a process has used in all its threads, s. proc(5): utime + stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mb(pid: int, part: str = "Pss") -> float:
    """Proportional set size, MB: shared pages count in parts. `part`: e.g. Pss_Anon. proc(5)"""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{part}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {part} of {pid}")


def pss_among_mb(pid: int, others: Sequence[int]) -> float:
    """PSS as it is where no more than these processes run, MB, whatever else this machine does.

    A file's pages count in equal parts for all of them that have it mapped. proc_pid_smaps(5)
    """
    mine, theirs = mapped(pid), [mapped(other) for other in others]
    return sum(
        own_kb + shared_kb / (1 + sum(name in one for one in theirs))
        for name, (own_kb, shared_kb) in mine.items()
    ) / 1024  # fmt: skip


def mapped(pid: int) -> dict[str, tuple[int, int]]:
    """{file, or "" for what has none: (its own memory, pages of the file), kB}"""
    found: dict[str, tuple[int, int]] = {}
    name, resident = "", 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        key, *rest = line.split()
        if not key.endswith(":"):
            name = rest[4] if len(rest) > 4 and rest[3] != "0" else ""
        elif key == "Rss:":
            resident = int(rest[0])
        elif key == "Anonymous:":
            own, shared = found.get(name, (0, 0))
            found[name] = own + int(rest[0]), shared + resident - int(rest[0])
    return found


def percentile(samples: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the samples do not exceed: the nearest rank."""
    return sorted(samples)[math.ceil(share * len(samples)) - 1]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
    }
