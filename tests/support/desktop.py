"""An X server without a screen, whose pixels a test can read. Source: XWDFile.h, Xvfb(1)."""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

XWD_HEADER = struct.Struct(">25I")
HEADER_SIZE, WIDTH, HEIGHT, BYTES_PER_LINE, COLOURS = 0, 4, 5, 12, 19
COLOUR_SIZE = 12


class Desktop(NamedTuple):
    name: str
    """DISPLAY, such as ":5"."""
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.name}

    def pixels(self) -> np.ndarray:
        """(height, width, 3) uint8 BGR of what is on it now."""
        data = self.file.read_bytes()
        header = XWD_HEADER.unpack_from(data)
        start = header[HEADER_SIZE] + COLOUR_SIZE * header[COLOURS]
        lines = np.frombuffer(data, np.uint8, header[BYTES_PER_LINE] * header[HEIGHT], start)
        return lines.reshape(header[HEIGHT], -1, 4)[:, : header[WIDTH], :3]

    def press(self, key: str) -> None:
        """With the mouse in the middle, where the window is."""
        middle = (str(side // 2) for side in self.pixels().shape[1::-1])
        command = ["xdotool", "mousemove", *middle, "key", key]
        subprocess.run(command, env=self.environment, check=True)


def missing_programs(*more: str) -> str:
    """What has to be installed; "" = nothing."""
    return " ".join(name for name in ("Xvfb", "xdotool", *more) if shutil.which(name) is None)


@contextmanager
def desktop(width: int, height: int, manager: str = "") -> Iterator[Desktop]:
    """Of so many px, with this window manager; end them with the block."""
    read, write = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        screen = f"{width}x{height}x24"
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-fbdir", folder],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as pipe:
            there = Desktop(f":{pipe.readline().strip()}", Path(folder) / "Xvfb_screen0")
        helpers = [_start(manager, there)] if manager else []
        try:
            yield there
        finally:
            for process in (*helpers, server):
                process.terminate()
                process.wait()


def _start(manager: str, there: Desktop) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([manager], env=there.environment, stderr=subprocess.DEVNULL)
