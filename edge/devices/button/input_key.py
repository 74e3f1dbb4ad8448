"""A key of a USB keyboard, or a foot pedal, as the button: read from its event device.

The kernel's struct has five fields, so no library is needed. Knows no messages and nothing of
recordings. Source: linux/input.h.
"""

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from edge.devices.button.header import ButtonError

EVENT = struct.Struct("@llHHi")
"""s, us, type, code, value"""
EV_KEY = 1
RELEASED, PRESSED = 0, 1
MAX_EVENTS_PER_READ = 64


class KeyButton:
    """A key of an event device. Its owner calls `read` when its descriptor can be read.

    The device is shared with every other reader: a keyboard goes on typing.
    """

    def __init__(
        self,
        path: Path,
        code: int | None,
        bounce_s: float,
        on_press: Callable[[], None],
        on_release: Callable[[], None],
    ) -> None:
        """`path`: such as /dev/input/event3. `code`: None = any key. Raises ButtonError."""
        self._path = path
        self._code = code
        self._bounce_s = bounce_s
        self._on_press, self._on_release = on_press, on_release
        self._edge_s = -bounce_s
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ButtonError(explain(path, error)) from error
        self.about = f"{'any key' if code is None else f'key {code}'} of {path.name}"

    def read(self) -> None:
        """Handle presses and releases. Raises ButtonError where the device is gone."""
        try:
            data = os.read(self.descriptor, EVENT.size * MAX_EVENTS_PER_READ)
        except BlockingIOError:
            return
        except OSError as error:
            raise ButtonError(f"{self._path.name} is lost; plug it in again") from error
        if not data:
            raise ButtonError(f"{self._path.name} is lost; plug it in again")
        for _, _, kind, code, value in EVENT.iter_unpack(data):
            if kind == EV_KEY and self._code in (None, code) and value in (RELEASED, PRESSED):
                self._on_edge(value, time.monotonic())

    def _on_edge(self, value: int, now_s: float) -> None:
        """A press so soon after the last edge is bouncing; a release always counts."""
        bounces = now_s - self._edge_s < self._bounce_s
        self._edge_s = now_s
        if value == RELEASED:
            self._on_release()
        elif not bounces:
            self._on_press()

    def set_led(self, on: bool) -> None:
        """A key has no LED."""

    def close(self) -> None:
        os.close(self.descriptor)


def explain(path: Path, error: OSError) -> str:
    """One line: why, and the fix."""
    if isinstance(error, FileNotFoundError):
        return f"no {path}: plug the key in, or set audio.button.input"
    if isinstance(error, PermissionError):
        return f"no permission on {path}; sudo usermod -aG input $USER, then log in again"
    return f"{path} does not open ({error.strerror}); set audio.button.input"
