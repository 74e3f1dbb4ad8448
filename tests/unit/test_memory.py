"""Large blocks leave no holes behind."""

import subprocess
import sys

import pytest

# Blocks of a frame's size, freed in an order that leaves the last of them on top of the holes.
HOLES = """
import ctypes, os
from edge.runtime.malloc import set_mmap_threshold

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

def block(size=921_600):
    address = libc.malloc(size)
    ctypes.memset(address, 1, size)
    return address

if {apart}:
    set_mmap_threshold()
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
