"""Memory that is free goes back to the system. Knows nothing of what used it."""

import contextlib
import ctypes

TRIM_S = 10.0
"""How often a process gives back what it does not use."""


def give_memory_back() -> None:
    """Frames and thousands of connections leave holes that glibc keeps. malloc_trim(3)"""
    with contextlib.suppress(AttributeError):  # another C library keeps less
        ctypes.CDLL(None).malloc_trim(0)
