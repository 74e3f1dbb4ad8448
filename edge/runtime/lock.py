"""At most one process of a kind works in a runtime folder. Knows no socket."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import ConfigError

PID_WIDTH = 10
"""Characters; always as many, so that a reader never sees half a number."""


@contextmanager
def single_instance(directory: Path, name: str) -> Iterator[None]:
    """Hold `directory/name.lock` while the block runs; the kernel frees it when we die.

    Raises ConfigError where another process holds it: ZeroMQ would take its local endpoint away
    from it without a word.
    """
    try:
        descriptor = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be written ({error.strerror}); set bus.directory"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, PID_WIDTH, 0).decode().strip()
        os.close(descriptor)
        raise ConfigError(
            f"it is running already (pid {owner}) in {directory}; "
            "stop it, or set another bus.directory"
        ) from error
    try:
        os.pwrite(descriptor, f"{os.getpid():<{PID_WIDTH}}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
