"""One instance of each service; large blocks leave no holes behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.runtime.process import single_instance

# Blocks of a frame's size, freed in an order that leaves the last of them on top of the holes.
HOLES = """
import ctypes, os
from edge.runtime.process import configure_malloc

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

def block(size=921_600):
    address = libc.malloc(size)
    ctypes.memset(address, 1, size)
    return address

if {apart}:
    configure_malloc()
libc.free(block(4_000_000))  # glibc learns from it what is large
before = resident_mb()
held = []
for _ in range(100):
    large = block()
    held.append(block(1_000))
    libc.free(large)
print(resident_mb() - before)
"""


def grown_mb(apart: bool) -> float:
    command = [sys.executable, "-c", HOLES.format(apart=apart)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_frames_leave_nothing_behind() -> None:
    assert grown_mb(apart=True) < 0.6


def test_a_lock_that_cannot_be_written_is_one_line() -> None:
    with (
        pytest.raises(ConfigError, match=r"set bus\.directory"),
        single_instance(Path("/proc"), "x"),
    ):
        pass


def test_two_of_a_kind_are_refused(tmp_path: Path) -> None:
    with (
        single_instance(tmp_path, "face"),
        pytest.raises(ConfigError, match=f"pid {os.getpid()}"),
        single_instance(tmp_path, "face"),
    ):
        pass
