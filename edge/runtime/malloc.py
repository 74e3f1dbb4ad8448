"""Memory that is free goes back to the system. Knows nothing of what used it."""

import contextlib
import ctypes

TRIM_S = 10.0
"""How often a process gives back what it does not use."""
LARGE_BYTES = 512 * 1024
"""A frame, and what is computed from a whole one."""
M_MMAP_THRESHOLD = -3
"""malloc.h"""


def set_mmap_threshold() -> None:
    """Every large block gets pages of its own, which go back when it is freed. mallopt(3)

    Left to itself glibc raises this threshold with the first frame that is freed; then frames of
    different ages leave holes that no trimming finds: five megabytes an hour on a busy machine.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def trim_heap() -> None:
    """Frames and thousands of connections leave holes that glibc keeps. malloc_trim(3)"""
    with contextlib.suppress(AttributeError):  # another C library keeps less
        ctypes.CDLL(None).malloc_trim(0)
