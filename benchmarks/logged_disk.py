"""A disk whose every write and flush is logged, to see what reaches it and to cut its power.

A file in a FUSE file system (fusepy, libfuse2) under a loop device with ext4: the kernel's own
file system decides what is written when. `python -m benchmarks.logged_disk FOLDER LOG BYTES` serves
it.
"""

import errno
import os
import random
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NAME = "disk"
HEAD = struct.Struct("<dqI")
"""Unix time, offset (-1 = a flush), length"""
BLOCK = 4096


class Event(NamedTuple):
    time: float
    offset: int
    """-1 = all that was written before is safe from here on."""
    data: bytes


def serve(folder: str, log: str, size: int) -> None:
    """Until it is unmounted."""
    from fuse import FUSE, FuseOSError, Operations

    class Disk(Operations):  # type: ignore[misc]
        def __init__(self) -> None:
            self._data = bytearray(size)
            self._log = Path(log).open("wb", buffering=0)  # noqa: SIM115

        def getattr(self, path: str, _: object = None) -> dict[str, int]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            if path != f"/{NAME}":
                raise FuseOSError(errno.ENOENT)
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

        def read(self, _: str, length: int, offset: int, __: int) -> bytes:
            return bytes(self._data[offset : offset + length])

        def write(self, _: str, data: bytes, offset: int, __: int) -> int:
            self._data[offset : offset + len(data)] = data
            self._log.write(HEAD.pack(time.time(), offset, len(data)) + data)
            return len(data)

        def fsync(self, *_: object) -> int:
            self._log.write(HEAD.pack(time.time(), -1, 0))
            return 0

    FUSE(Disk(), folder, foreground=True, nothreads=True, big_writes=True)


def events(log: Path) -> Iterator[Event]:
    data = log.read_bytes()
    at = 0
    while at + HEAD.size <= len(data):
        when, offset, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        yield Event(when, offset, data[at : at + length])
        at += length


def image_at(log: list[Event], cut_s: float, size: int, luck: random.Random) -> bytearray:
    """What the disk holds when its power is cut then.

    What was flushed is there. Of what came after the last flush each block of 4 KB is there or
    not, as the disk liked, for it has a cache of its own.
    """
    before = [event for event in log if event.time <= cut_s]
    safe = max((n for n, event in enumerate(before) if event.offset < 0), default=0)
    image = bytearray(size)
    for n, event in enumerate(before):
        for start in range(0, len(event.data), BLOCK):
            if n < safe or luck.random() < 0.5:
                part = event.data[start : start + BLOCK]
                at = event.offset + start
                image[at : at + len(part)] = part
    return image


class LoggedDisk:
    """The disk, with ext4, mounted at `folder`."""

    def __init__(self, work: Path, size_mb: int) -> None:
        self.size = size_mb * 2**20
        self.log, self.folder, self._fuse = work / "log", work / "mounted", work / "fuse"
        for folder in (self.folder, self._fuse):
            folder.mkdir()
        command = [sys.executable, "-m", "benchmarks.logged_disk", str(self._fuse), str(self.log)]
        self._server = subprocess.Popen([*command, str(self.size)])
        while not (self._fuse / NAME).exists():
            time.sleep(0.05)
        self.device = loop_device(self._fuse / NAME)
        subprocess.run(["mkfs.ext4", "-q", self.device], check=True)
        subprocess.run(["mount", "-o", "noatime", self.device, self.folder], check=True)

    def close(self) -> None:
        subprocess.run(["umount", self.folder], check=True)
        subprocess.run(["losetup", "-d", self.device], check=True)
        for _ in range(50):  # the kernel lets go of the loop device a little later
            if subprocess.run(["umount", self._fuse], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.2)
        self._server.wait(10)


def loop_device(path: Path) -> str:
    command = ["losetup", "-f", "--show", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    os.nice(-5)
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
