"""What a process needs before and beside its work: one instance, its memory, native libraries."""

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import ConfigError

PID_WIDTH = 10
"""Characters; always as many, so that a reader never sees half a number."""
MIN_DESCRIPTORS = 32
"""With fewer open files libzmq aborts, or a service ends as soon as others connect."""
TRIM_S = 10.0
"""How often a process gives back what it does not use."""
LARGE_BYTES = 512 * 1024
"""A frame, and what is computed from a whole one."""
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""malloc.h"""
LIBRARY_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's: buffers for each core, and nothing here multiplies much
    "OPENCV_FOR_THREADS_NUM": "1",  # a frame is small; the other processes need the other cores
    "OPENCV_LOG_LEVEL": "OFF",  # what fails is reported once, by us
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2",  # s; else 10
}


def configure_libraries() -> None:
    """Set what OpenCV and numpy read from the environment: call it when a process starts."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)


def open_standard_streams() -> None:
    """Give those that were closed /dev/null: no socket may get the number of stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number: this one
    if sys.stdout is None or sys.stderr is None:
        devnull = Path(os.devnull).open("w")  # noqa: SIM115
        sys.stdout, sys.stderr = sys.stdout or devnull, sys.stderr or devnull


def discard_unwritten() -> None:
    """For the end of the process, where Python tries it again and then exits with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def check_descriptor_limit() -> None:
    """Raises ConfigError where fewer files may be open than every command needs."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < MIN_DESCRIPTORS:
        raise ConfigError(
            f"only {limit} files may be open, {MIN_DESCRIPTORS} are needed; run `ulimit -n 1024`"
        )


def configure_malloc() -> None:
    """One heap for all threads, and for every large block pages of its own. mallopt(3)

    A heap a thread is several megabytes a process, for speed that nobody needs here. The threshold
    is raised by glibc itself with the first frame that is freed; then frames of different ages
    leave holes that no trimming finds: five megabytes an hour on a busy machine.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def trim_heap() -> None:
    """Frames and thousands of connections leave holes that glibc keeps. malloc_trim(3)"""
    with contextlib.suppress(AttributeError):  # another C library keeps less
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hide what native libraries print, where they have no option against it."""
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


@contextlib.contextmanager
def single_instance(directory: Path, name: str) -> Iterator[None]:
    """Hold `directory/name.lock` while the block runs; the kernel frees it when we die.

    Raises ConfigError where another process holds it: ZeroMQ would take its local endpoint away
    from it without a word.
    """
    import fcntl  # not on Windows, where `watch` works all the same

    descriptor = open_lock(directory / f"{name}.lock")
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
        with contextlib.suppress(OSError):  # a full disk; it is held all the same
            os.pwrite(descriptor, f"{os.getpid():<{PID_WIDTH}}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """A lock's descriptor, for its owner alone: whoever can open a lock can hold it.

    Raises ConfigError. A link is not followed: root may open this in a service's folder.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        fix = f"remove {path.name}" if path.is_symlink() else "set bus.directory"
        raise ConfigError(f"{path} cannot be written ({error.strerror}); {fix}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise ConfigError(f"{path} is not a file of its own; remove it")
    if status.st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)  # an older version let the group read it
    return descriptor
