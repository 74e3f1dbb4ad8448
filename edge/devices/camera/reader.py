"""The thread that owns the camera, because opening, reading and closing may block.

Knows no messages. Of captures that nobody has taken yet only the newest waits.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import NamedTuple

from edge.devices.camera.source import Camera
from edge.types import Image

CLOSE_TIMEOUT_S = 1.0


class Capture(NamedTuple):
    """An image and the moment at which the camera gave it."""

    t_ns: int
    """CLOCK_MONOTONIC, ns"""
    time: float
    """Unix time, s"""
    image: Image
    """(height, width, 3) uint8 BGR"""


class Reader(threading.Thread):
    """Opens a camera, reads until that fails, and ends.

    Has `on_open(camera)`, `on_capture()` and `on_end(error)` called through `call_soon`.
    """

    def __init__(
        self,
        open_source: Callable[[], Camera],
        call_soon: Callable[[Callable[[], None]], None],
        on_open: Callable[[Camera], None],
        on_capture: Callable[[], None],
        on_end: Callable[[Exception], None],
    ) -> None:
        """`call_soon` has the owner's own thread call what it is given."""
        super().__init__(name="camera", daemon=True)  # a device that hangs must not block exit
        self._open_source = open_source
        self._call_soon = call_soon
        self._on_open = on_open
        self._on_capture = on_capture
        self._on_end = on_end
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._newest: Capture | None = None
        self.dropped = 0
        """Captures that a newer one replaced."""

    def run(self) -> None:
        try:
            with closing(self._open_source()) as camera:
                self._call_soon(partial(self._on_open, camera))
                while not self._stopped.is_set():
                    image = camera.read()
                    self._offer(Capture(time.monotonic_ns(), time.time(), image))
        except Exception as error:  # raised again, or reported, by the owner's thread
            self._call_soon(partial(self._on_end, error))

    def _offer(self, capture: Capture) -> None:
        with self._lock:
            replaced, self._newest = self._newest, capture
        if replaced is None:
            self._call_soon(self._on_capture)
        else:
            self.dropped += 1

    def take(self) -> Capture | None:
        """The newest capture, once."""
        with self._lock:
            capture, self._newest = self._newest, None
        return capture

    def stop(self) -> None:
        """Ask it to end, and give it a moment to close the device."""
        self._stopped.set()
        self.join(CLOSE_TIMEOUT_S)
