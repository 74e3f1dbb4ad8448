"""A GStreamer pipeline as a camera: gst-launch-1.0 writes raw frames to a pipe.

OpenCV's wheels are built without GStreamer. Knows no message and no configuration.
"""

import os
import select
import shlex
import subprocess
import time

import numpy as np

from edge.devices.camera.source import CameraError, SourceError
from edge.types import Image

START_TIMEOUT_S = 10.0
"""Network sources and CSI cameras take seconds to their first frame."""
TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 2.0
ERRORS = ("ERROR", "WARNING: erroneous pipeline")


class GStreamerCamera:
    """Any pipeline whose last element gives raw video."""

    def __init__(self, pipeline: str, width: int, height: int, rate_hz: float) -> None:
        """`pipeline` as gst-launch-1.0 takes it, without a sink. Raises SourceError."""
        self._shape = height, width, 3
        self._stride = (width * 3 + 3) // 4 * 4  # GStreamer's rows start at multiples of 4 bytes
        self._timeout_s = START_TIMEOUT_S
        self._errors = os.fdopen(os.memfd_create("gst-errors"), "r+b")  # in memory, not on disk
        self._process = subprocess.Popen(
            ["gst-launch-1.0", "-q", *_split(pipeline), *_sink(width, height)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is ours to handle; `close` ends it
        )
        self.rate_hz = rate_hz
        self.about = f"GStreamer {width}x{height}"

    def read(self) -> Image:
        height, width, channels = self._shape
        rows = self._read_bytes(height * self._stride).reshape(height, self._stride)
        self._timeout_s = TIMEOUT_S
        return np.ascontiguousarray(rows[:, : width * channels]).reshape(self._shape)

    def _read_bytes(self, size: int) -> Image:
        """The next `size` bytes."""
        assert self._process.stdout is not None
        buffer = np.empty(size, np.uint8)
        deadline_s = time.monotonic() + self._timeout_s
        filled = 0
        while filled < size:
            wait_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([self._process.stdout], [], [], wait_s)[0]:
                raise CameraError(f"no frame from the pipeline for {self._timeout_s:.0f} s")
            count = os.readv(self._process.stdout.fileno(), [buffer[filled:].data])
            if not count:
                raise self._exit_error()
            filled += count
        return buffer

    def _exit_error(self) -> CameraError | SourceError:
        self._process.wait(STOP_TIMEOUT_S)
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").splitlines()
        reason = next((line for line in lines if line.startswith(ERRORS)), "it ended")
        if reason.startswith("WARNING: erroneous pipeline"):
            return SourceError(f"camera source: {reason.removeprefix('WARNING: ')}")
        return CameraError(f"the GStreamer pipeline stopped: {reason.removeprefix('ERROR: ')}")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()


def _split(pipeline: str) -> list[str]:
    try:
        return shlex.split(pipeline)
    except ValueError as error:
        raise SourceError(f"camera source: a quote is missing in the pipeline: {error}") from error


def _sink(width: int, height: int) -> list[str]:
    """To frames of one size, in real time, of which a slow reader gets the newest."""
    return (
        "! videoconvert ! videoscale add-borders=true "
        f"! video/x-raw,format=BGR,width={width},height={height},pixel-aspect-ratio=1/1 "
        "! identity sync=true ! queue leaky=downstream max-size-buffers=1 ! fdsink"
    ).split()
