"""What OpenCV reads: V4L2 devices, video files and network streams.

Knows no message and no configuration.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.devices.camera.image_file import MAX_PIXELS, ImageCamera, fit
from edge.devices.camera.source import Camera, CameraError, RateLimiter, SourceError, describe
from edge.errors import UserError
from edge.paths import without_credentials
from edge.types import Image

TIMEOUT_MS = 2000
"""For opening a URL, and for each frame from it."""
MAX_GAP_S = 1.0
"""After this long without reading, what a device's or the network's buffer holds is old."""
MAX_SKIP_S = 2.0
RATES_HZ = (0.1, 240.0)
"""A video that claims a rate outside of these is played at the configured one."""
DEFAULT_HZ = 25.0
"""Of a film that claims no possible rate."""


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
        shown = without_credentials(url)
        raise CameraError(f"no frames from {shown}: is it switched on, and is the address right?")
    return capture


class CaptureCamera:
    """What the cameras below share: an open cv2.VideoCapture."""

    def __init__(
        self, name: str, capture: cv2.VideoCapture, width: int, height: int, rate_hz: float
    ) -> None:
        self._name = name
        self._capture = capture
        self._limits = width, height
        claimed_hz = capture.get(cv2.CAP_PROP_FPS)
        self.rate_hz = claimed_hz if RATES_HZ[0] <= claimed_hz <= RATES_HZ[1] else rate_hz
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self.about = describe(name, size, self.rate_hz)
        self._last_s = time.monotonic()

    def _fit(self, image: "cv2.typing.MatLike") -> Image:
        return fit(np.asarray(image, np.uint8), *self._limits)

    def close(self) -> None:
        self._capture.release()


class V4L2Camera(CaptureCamera):
    """A webcam. MJPG, because raw frames fill USB 2 at 30 Hz."""

    def __init__(self, path: Path, width: int, height: int, rate_hz: float) -> None:
        capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraError(
                f"cannot capture from {path}: another program uses it, or it has none"
            )
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, rate_hz)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        super().__init__(str(path), capture, width, height, rate_hz)

    def read(self) -> Image:
        image = self._next()
        if time.monotonic() - self._last_s > MAX_GAP_S:
            image = self._next()  # the first one is from before the gap
        self._last_s = time.monotonic()
        return image

    def _next(self) -> Image:
        ok, image = self._capture.read()
        if not ok:
            raise CameraError(f"lost the camera {without_credentials(self._name)}")
        return self._fit(image)


class VideoFileCamera(CaptureCamera):
    """A video of finite length, at its own rate, in a loop."""

    def __init__(self, source: str, width: int, height: int, rate_hz: float) -> None:
        super().__init__(source, _open_video(source), width, height, rate_hz)
        self._rate_limiter = RateLimiter()
        self._position_s = 0.0

    def read(self) -> Image:
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"{self._name}: a frame is damaged")
        gap_s = self._gap_s()
        if not self._capture.grab():
            self._capture = _open_video(self._name)
        image = self._fit(image)
        self._rate_limiter.wait(gap_s)
        return image

    def _gap_s(self) -> float:
        """From the last frame to this one, by the video's own timestamps where it has any."""
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        gap_s, self._position_s = position_s - self._position_s, position_s
        return gap_s if math.isfinite(gap_s) and gap_s > 0 else 1 / self.rate_hz


def _open_video(source: str) -> cv2.VideoCapture:
    """Opened, with the first frame grabbed: to play it again, as seeking fails in some formats."""
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError(f"camera source {source}: neither an image nor a video")
    if not capture.grab():
        raise SourceError(f"camera source {source}: the video has no frames")
    return capture


class FilmError(UserError):
    """A file that cannot be read as a film. The message is one line: which, why, and the fix."""


class Film:
    """A video file from its first frame to its last, as fast as they can be read."""

    def __init__(self, path: Path) -> None:
        """Raises FilmError."""
        self._path = path
        try:
            str(path).encode()
        except UnicodeEncodeError as error:  # on which OpenCV ends the process
            raise FilmError(f"{str(path)!r}: the name is not UTF-8; rename it") from error
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise FilmError(f"{path}: cannot be read as a film; convert it to MP4")
        width, height = (
            self._number(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self.size = round(width), round(height)
        """(w, h) px"""
        if width * height > MAX_PIXELS:
            raise FilmError(f"{path}: larger than {MAX_PIXELS // 10**6} million pixels; scale it")
        claimed_hz = self._number(cv2.CAP_PROP_FPS)
        self.rate_hz = claimed_hz if RATES_HZ[0] <= claimed_hz <= RATES_HZ[1] else DEFAULT_HZ
        self.length = max(0, round(self._number(cv2.CAP_PROP_FRAME_COUNT)))
        """Frames, as the file claims; 0 = unknown."""

    def _number(self, what: int) -> float:
        value = self._capture.get(what)
        return value if math.isfinite(value) else 0.0

    def frames(self) -> Iterator[tuple[float, Image]]:
        """(s from the start, (h, w, 3) uint8 BGR) of each. Raises FilmError."""
        time_s, number = 0.0, 0
        while self._capture.grab():
            ok, image = self._capture.retrieve()
            if not ok:
                raise FilmError(f"{self._path}: frame {number} is damaged; convert it again")
            at_s = self._number(cv2.CAP_PROP_POS_MSEC) / 1e3
            time_s = max(time_s, at_s or number / self.rate_hz)
            yield time_s, np.asarray(image, np.uint8)
            number += 1
        if not number:
            raise FilmError(f"{self._path}: the film has no frames; convert it again")

    def close(self) -> None:
        self._capture.release()


class StreamCamera(CaptureCamera):
    """A live stream from the network; its capture has timeouts."""

    def read(self) -> Image:
        self._grab()
        if time.monotonic() - self._last_s > MAX_GAP_S:
            self._skip_backlog()
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"a frame from {self._name} is damaged")
        self._last_s = time.monotonic()
        return self._fit(image)

    def _grab(self) -> None:
        if not self._capture.grab():
            raise CameraError(f"lost the stream {self._name}")

    def _skip_backlog(self) -> None:
        """Frames that come faster than their rate have waited in the network's buffers."""
        started_s = asked_s = time.monotonic()
        self._grab()
        while time.monotonic() - asked_s < 0.5 / self.rate_hz and asked_s - started_s < MAX_SKIP_S:
            asked_s = time.monotonic()
            self._grab()
