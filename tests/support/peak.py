"""The most memory that a command ever used."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from tests.support.harness import ROOT

LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
os.write(int(sys.argv[1]), b"%d %d" % (os.waitstatus_to_exitcode(status), used.ru_maxrss))
"""
"""Small: what a process uses begins with what the one that started it used (getrusage(2))."""


def run_python(
    *arguments: str | Path, stdout: TextIO | int = subprocess.DEVNULL, stderr: TextIO | int | None
) -> tuple[int, float]:
    """(its exit code, the peak of its resident memory in MB)"""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as answer:
        subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, str(writer), sys.executable, *arguments],
            cwd=ROOT,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[writer],
            check=True,
        )
        os.close(writer)
        code, peak_kb = answer.read().split()
    return int(code), int(peak_kb) / 1024
