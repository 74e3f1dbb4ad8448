"""The demo, for those without a camera: a real photograph of a face that moves about.

Knows no message and no configuration. A frame depends on the time alone.
"""

import math
import time

import cv2
import numpy as np

from edge.devices.camera.source import RateLimiter, describe
from edge.paths import ASSETS
from edge.types import Image

PHOTO = ASSETS / "astronaut.jpg"
FACE_CENTRE = (145, 120)
"""px in the photograph."""
FACE_PX = 100
"""Side of the face in the photograph."""
PORTRAIT_AXES = (105, 112)
"""Half axes of the ellipse around the face that is shown, px; its edge is soft."""
EDGE_PX = 12
BACKDROP = (slice(0, 190), slice(225, 275))
"""Rows and columns of the photograph that show nothing but the grey behind her."""
PERIOD_S = 18.0
LEAVES_S, GONE_S, RETURNS_S, BACK_S = 12.0, 13.8, 14.6, 16.4
"""When in the period she walks out to the right, and comes back."""
MIN_SIZE, MAX_SIZE = 0.22, 0.46
"""Side of the face in heights of the frame."""


class DemoCamera:
    """The photograph as if it were filmed: it sways, grows, shrinks, leaves and comes back."""

    def __init__(self, width: int, height: int, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.about = describe("demo", (width, height), rate_hz)
        self._size = width, height
        photo = _photo()
        self._backdrop = _backdrop(photo, width, height)
        around = _around_the_portrait(photo.shape[:2])
        # Kept as what is added to the backdrop and what is left of it: one sum a frame.
        self._portrait = cv2.multiply(photo, cv2.bitwise_not(around), scale=1 / 255)
        self._around = around
        self._rate_limiter = RateLimiter()
        self._started_s = time.monotonic()

    def read(self) -> Image:
        self._rate_limiter.wait(1 / self.rate_hz)
        return self.frame_at(time.monotonic() - self._started_s)

    def frame_at(self, time_s: float) -> Image:
        """The frame `time_s` after the start: (height, width, 3) uint8 BGR."""
        x, y, scale = position(time_s, *self._size)
        size = round(self._portrait.shape[1] * scale), round(self._portrait.shape[0] * scale)
        left, top = round(x - scale * FACE_CENTRE[0]), round(y - scale * FACE_CENTRE[1])
        image: Image = self._backdrop.copy()
        seen = image[max(0, top) : max(0, top + size[1]), max(0, left) : max(0, left + size[0])]
        if seen.size:
            self._blend(seen, size, max(0, -left), max(0, -top))
        return image

    def _blend(self, seen: Image, size: tuple[int, int], left: int, top: int) -> None:
        """Draw the portrait, scaled to `size` px, from its column `left` and row `top` on."""
        part = slice(top, top + seen.shape[0]), slice(left, left + seen.shape[1])
        around = cv2.resize(self._around, size)[part]
        portrait = cv2.resize(self._portrait, size)[part]
        seen[:] = cv2.add(cv2.multiply(seen, around, scale=1 / 255), portrait)

    def close(self) -> None:
        """There is nothing to close."""


def position(time_s: float, width: int, height: int) -> tuple[float, float, float]:
    """Centre of the face (x, y) in px and the photograph's scale, in a frame of that size."""
    turn = 2 * math.pi * time_s / PERIOD_S
    away = _smooth_step(time_s % PERIOD_S, LEAVES_S, GONE_S)
    away -= _smooth_step(time_s % PERIOD_S, RETURNS_S, BACK_S)
    size = MIN_SIZE + (MAX_SIZE - MIN_SIZE) * (0.5 - 0.5 * math.cos(2 * turn + 1.5))
    scale = size * height / FACE_PX
    out_px = 0.7 * width + scale * (PORTRAIT_AXES[0] + 2 * EDGE_PX)
    x = width * (0.5 + 0.18 * math.sin(2 * turn)) + away * out_px
    y = height * (0.5 + 0.07 * math.sin(3 * turn))
    return x, y, scale


def _smooth_step(now: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, without a jerk in between."""
    part = min(1.0, max(0.0, (now - start) / (end - start)))
    return part * part * (3 - 2 * part)


def _photo() -> Image:
    photo = cv2.imread(str(PHOTO), cv2.IMREAD_COLOR)
    if photo is None:
        raise FileNotFoundError(f"{PHOTO}: missing or damaged; install emotion-edge again")
    return np.asarray(photo, np.uint8)


def _backdrop(photo: Image, width: int, height: int) -> Image:
    blurred = cv2.GaussianBlur(photo[BACKDROP], (0, 0), EDGE_PX)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _around_the_portrait(shape: tuple[int, ...]) -> Image:
    """255 where the backdrop is seen, 0 where she is, soft in between: (height, width, 3)."""
    mask = np.full((*shape, 3), 255, np.uint8)
    cv2.ellipse(mask, FACE_CENTRE, PORTRAIT_AXES, 0, 0, 360, (0, 0, 0), cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), EDGE_PX), np.uint8)
