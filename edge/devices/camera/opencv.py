"""What OpenCV reads: V4L2 devices, films, images, network streams.

Knows no message and no configuration.
"""

import math
import time
from pathlib import Path

import cv2
import numpy as np

from edge.devices.camera.image_file import ImageFileError, read_image
from edge.devices.camera.source import Camera, CameraError, RateLimiter, SourceError
from edge.types import Image

TIMEOUT_MS = 2000
"""Of opening a URL, and of each picture from it."""
AWAY_S = 1.0
"""After this long without reading, what waits in a device's or the network's buffer is old."""
CATCH_UP_S = 2.0
RATES_HZ = (0.1, 240.0)
"""A film that claims a rate outside of these is played at the configured one."""

cv2.setNumThreads(1)


def fit(image: Image, width: int, height: int) -> Image:
    """`image` scaled down, its aspect kept, to at most `width` x `height` px."""
    scale = min(width / image.shape[1], height / image.shape[0])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def open_media(source: str, width: int, height: int, rate_hz: float) -> Camera:
    """A file (image or film) or a URL (live stream or film). Raises CameraError, SourceError."""
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
        raise CameraError(f"no pictures from {url}: is it switched on, and is the address right?")
    return capture


def _rate_hz(capture: cv2.VideoCapture, otherwise_hz: float) -> float:
    claimed_hz = capture.get(cv2.CAP_PROP_FPS)
    return claimed_hz if RATES_HZ[0] <= claimed_hz <= RATES_HZ[1] else otherwise_hz


def _about(name: str, size: tuple[float, float], rate_hz: float) -> str:
    return f"{name} {size[0]:.0f}x{size[1]:.0f} at {rate_hz:.3g} Hz"


def _size(capture: cv2.VideoCapture) -> tuple[float, float]:
    """Width and height, px."""
    return capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)


class V4L2Camera:
    """A webcam. MJPG, because raw pictures fill USB 2 at 30 Hz."""

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
        self.about = _about(str(path), _size(self._capture), self.rate_hz)
        self._last_s = time.monotonic()

    def read(self) -> Image:
        image = self._next()
        if time.monotonic() - self._last_s > AWAY_S:
            image = self._next()  # the first one lay in the buffer all that time
        self._last_s = time.monotonic()
        return fit(image, *self._limits)

    def _next(self) -> Image:
        ok, image = self._capture.read()
        if not ok:
            raise CameraError(f"lost the camera {self._path}")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        self._capture.release()


class ImageCamera:
    """One image, again and again."""

    def __init__(self, path: str, width: int, height: int, rate_hz: float) -> None:
        try:
            self._image = fit(read_image(path), width, height)
        except ImageFileError as error:
            raise SourceError(f"camera source {error}") from error
        self._pace = RateLimiter()
        self.rate_hz = rate_hz
        height, width = self._image.shape[:2]
        self.about = _about(path, (width, height), rate_hz)

    def read(self) -> Image:
        self._pace.wait(1 / self.rate_hz)
        return self._image

    def close(self) -> None:
        """Nothing is held."""


class VideoFileCamera:
    """A film with an end, at its own pace and for ever."""

    def __init__(self, source: str, width: int, height: int, rate_hz: float) -> None:
        self._source = source
        self._limits = width, height
        self._capture = self._rewound()
        self._pace = RateLimiter()
        self._position_s = 0.0
        self.rate_hz = _rate_hz(self._capture, rate_hz)
        self.about = _about(source, _size(self._capture), self.rate_hz)

    def _rewound(self) -> cv2.VideoCapture:
        """At the start, with the first picture taken: seeking fails in some formats."""
        capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(f"camera source {self._source}: neither an image nor a film")
        if not capture.grab():
            raise SourceError(f"camera source {self._source}: the film has no pictures")
        return capture

    def read(self) -> Image:
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"{self._source}: a picture is damaged")
        gap_s = self._gap_s()
        if not self._capture.grab():
            self._capture = self._rewound()
        image = fit(np.asarray(image, np.uint8), *self._limits)
        self._pace.wait(gap_s)
        return image

    def _gap_s(self) -> float:
        """From the last picture to this one, by the film's own clock where that runs."""
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
        self.about = _about(url, _size(capture), self.rate_hz)
        self._last_s = time.monotonic()

    def read(self) -> Image:
        self._grab()
        if time.monotonic() - self._last_s > AWAY_S:
            self._skip_backlog()
        ok, image = self._capture.retrieve()
        if not ok:
            raise CameraError(f"a picture from {self._url} is damaged")
        self._last_s = time.monotonic()
        return fit(np.asarray(image, np.uint8), *self._limits)

    def _grab(self) -> None:
        if not self._capture.grab():
            raise CameraError(f"lost the stream {self._url}")

    def _skip_backlog(self) -> None:
        """What comes faster than it was taken has waited in the network's buffers: old news."""
        started_s = asked_s = time.monotonic()
        self._grab()
        while time.monotonic() - asked_s < 0.5 / self.rate_hz and asked_s - started_s < CATCH_UP_S:
            asked_s = time.monotonic()
            self._grab()

    def close(self) -> None:
        self._capture.release()
