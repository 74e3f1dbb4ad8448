"""What OpenCV reads: V4L2 devices, video files and network streams.

Knows no message and no configuration.
"""

import math
import time
from pathlib import Path

import cv2
import numpy as np

from edge.devices.camera.image_file import ImageCamera, fit
from edge.devices.camera.source import Camera, CameraError, RateLimiter, SourceError, describe
from edge.types import Image

TIMEOUT_MS = 2000
"""For opening a URL, and for each frame from it."""
MAX_GAP_S = 1.0
"""After this long without reading, what a device's or the network's buffer holds is old."""
MAX_SKIP_S = 2.0
RATES_HZ = (0.1, 240.0)
"""A video that claims a rate outside of these is played at the configured one."""


def open_media(source: str, width: int, height: int, rate_hz: float) -> Camera:
    """A file (image or video) or a URL (live stream or video). Raises CameraError, SourceError."""
    if "://" in source:
        capture = _open_url(source)
        if capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 0:
            return StreamCamera(source, capture, width, height, rate_hz)
        capture.release()
    elif cv2.haveImageReader(source):
        return ImageCamera(source, width, height, rate_hz)
    return VideoFileCamera(source, width, height, rate_hz)


def _open_url(url: str) -> cv2.VideoCapture:
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS]
    timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        raise CameraError(f"no frames from {url}: is it switched on, and is the address right?")
    return capture


def _rate_hz(capture: cv2.VideoCapture, default_hz: float) -> float:
    claimed_hz = capture.get(cv2.CAP_PROP_FPS)
    return claimed_hz if RATES_HZ[0] <= claimed_hz <= RATES_HZ[1] else default_hz


def _size(capture: cv2.VideoCapture) -> tuple[float, float]:
    """Width and height, px."""
    return capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)


class V4L2Camera:
    """A webcam. MJPG, because raw frames fill USB 2 at 30 Hz."""

    def __init__(self, path: Path, width: int, height: int, rate_hz: float) -> None:
        self._path = path
        self._limits = width, height
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise CameraError(
                f"cannot capture from {path}: another program uses it, or it has none"
            )
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, rate_hz)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.rate_hz = _rate_hz(self._capture, rate_hz)
        self.about = describe(str(path), _size(self._capture), self.rate_hz)
        self._last_s = time.monotonic()

    def read(self) -> Image:
        image = self._next()
        if time.monotonic() - self._last_s > MAX_GAP_S:
            image = self._next()  # the first one is from before the gap
        self._last_s = time.monotonic()
        return fit(image, *self._limits)

    def _next(self) -> Image:
        ok, image = self._capture.read()
        if not ok:
            raise CameraError(f"lost the camera {self._path}")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        self._capture.release()


class VideoFileCamera:
    """A video of finite length, at its own rate, in a loop."""

    def __init__(self, source: str, width: int, height: int, rate_hz: float) -> None:
        self._source = source
        self._limits = width, height
        self._capture = self._reopen()
        self._rate_limiter = RateLimiter()
        self._position_s = 0.0
        self.rate_hz = _rate_hz(self._capture, rate_hz)
        self.about = describe(source, _size(self._capture), self.rate_hz)

    def _reopen(self) -> cv2.VideoCapture:
        """Opened anew, with the first frame grabbed: seeking fails in some formats."""
        capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(f"camera source {self._source}: neither an image nor a video")
        if not capture.grab():
            raise SourceError(f"camera source {self._source}: the video has no frames")
        return capture

    def read(self) -> Image:
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"{self._source}: a frame is damaged")
        gap_s = self._gap_s()
        if not self._capture.grab():
            self._capture = self._reopen()
        image = fit(np.asarray(image, np.uint8), *self._limits)
        self._rate_limiter.wait(gap_s)
        return image

    def _gap_s(self) -> float:
        """From the last frame to this one, by the video's own timestamps where it has any."""
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        gap_s, self._position_s = position_s - self._position_s, position_s
        return gap_s if math.isfinite(gap_s) and gap_s > 0 else 1 / self.rate_hz

    def close(self) -> None:
        self._capture.release()


class StreamCamera:
    """A live stream from the network."""

    def __init__(
        self, url: str, capture: cv2.VideoCapture, width: int, height: int, rate_hz: float
    ) -> None:
        """`capture`: already open, with time-outs."""
        self._url = url
        self._capture = capture
        self._limits = width, height
        self.rate_hz = _rate_hz(capture, rate_hz)
        self.about = describe(url, _size(capture), self.rate_hz)
        self._last_s = time.monotonic()

    def read(self) -> Image:
        self._grab()
        if time.monotonic() - self._last_s > MAX_GAP_S:
            self._skip_backlog()
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"a frame from {self._url} is damaged")
        self._last_s = time.monotonic()
        return fit(np.asarray(image, np.uint8), *self._limits)

    def _grab(self) -> None:
        if not self._capture.grab():
            raise CameraError(f"lost the stream {self._url}")

    def _skip_backlog(self) -> None:
        """Frames that come faster than their rate have waited in the network's buffers."""
        started_s = asked_s = time.monotonic()
        self._grab()
        while time.monotonic() - asked_s < 0.5 / self.rate_hz and asked_s - started_s < MAX_SKIP_S:
            asked_s = time.monotonic()
            self._grab()

    def close(self) -> None:
        self._capture.release()
