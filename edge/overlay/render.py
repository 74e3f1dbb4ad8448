"""The whole screen: (frame, snapshot, size) -> an image of exactly that size.

Pure: no socket, no clock, no screen. The frame is scaled into its place first; boxes and text are
drawn at the size at which they are shown.
"""

import cv2
import numpy as np

from edge.overlay import drawing, panel
from edge.overlay.bars import small_px
from edge.overlay.drawing import BACKGROUND, GREY, TEXT, Rect
from edge.overlay.faces import draw_faces
from edge.overlay.snapshot import Snapshot
from edge.types import Image

UNITS_ACROSS, UNITS_DOWN = 48, 36
"""The lettering is sized so that this many units fit on the screen."""
MIN_UNIT_PX = 11.0
LOST_BRIGHTNESS = 0.25
NATURAL_WIDTH_PX = 960
NATURAL_ASPECTS = 1 / 3, 3.0
"""Height over width; a frame beyond stands between bars."""


def unit_of(size: tuple[int, int]) -> float:
    """The unit of length, px, for a screen of (w, h) px."""
    return max(MIN_UNIT_PX, min(size[0] / UNITS_ACROSS, size[1] / UNITS_DOWN))


def natural_size(frame_size: tuple[int, int]) -> tuple[int, int]:
    """(w, h) px at which a frame of (w, h) px and the panel fill a window with nothing to spare.

    That of a frame outside of NATURAL_ASPECTS is the nearest within.
    """
    flattest, tallest = NATURAL_ASPECTS
    height = NATURAL_WIDTH_PX * min(max(flattest, frame_size[1] / frame_size[0]), tallest)
    tall = height + panel.HEIGHT * NATURAL_WIDTH_PX / UNITS_ACROSS
    flat = height / (1 - panel.HEIGHT / UNITS_DOWN)  # the height decides the unit
    return NATURAL_WIDTH_PX, round(min(tall, flat))


def render(image: Image | None, snapshot: Snapshot, size: tuple[int, int]) -> Image:
    """The frame, what was found in it, and the panel below.

    `image`: (height, width, 3) uint8 BGR, or None before there is one. `size`: (w, h) px of the
    result. The last frame of a lost camera is dimmed, so that nobody takes it for live.
    """
    unit = unit_of(size)
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    below = min(size[1] // 2, round(panel.HEIGHT * unit))
    stage = Rect(0, 0, size[0], size[1] - below)
    drawing.fill(canvas, stage, BACKGROUND)
    if image is None:
        _draw_notice(canvas, stage, unit, "waiting for the camera", snapshot.camera_reason)
    else:
        _draw_frame(canvas, stage, unit, image, snapshot)
    panel.draw(canvas, Rect(0, stage.bottom, size[0], below), unit, snapshot)
    return canvas


def letterboxed(size: tuple[int, int], stage: Rect) -> Rect:
    """Where a frame of (w, h) px stands in the stage: whole, centred, its shape kept."""
    scale = min(stage.w / size[0], stage.h / size[1])
    w, h = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return Rect(stage.x + (stage.w - w) // 2, stage.y + (stage.h - h) // 2, w, h)


def _draw_frame(canvas: Image, stage: Rect, unit: float, image: Image, snapshot: Snapshot) -> None:
    place = letterboxed((image.shape[1], image.shape[0]), stage)
    # Averaging is several times slower, and only shows where pixels would be skipped.
    way = cv2.INTER_AREA if place.w < image.shape[1] / 2 else cv2.INTER_LINEAR
    shown = place.of(canvas)
    shown[:] = cv2.resize(image, (place.w, place.h), interpolation=way)
    if snapshot.camera_lost:
        shown[:] = cv2.convertScaleAbs(shown, alpha=LOST_BRIGHTNESS)
        _draw_notice(canvas, stage, unit, "camera lost", snapshot.camera_reason)
    elif snapshot.face is not None:
        followed = snapshot.fused.face_id if snapshot.fused else None
        draw_faces(shown, unit, snapshot.faces, snapshot.face.frame_size, followed, snapshot.places)


def _draw_notice(canvas: Image, stage: Rect, unit: float, headline: str, reason: str) -> None:
    """What is waited for, in the middle, under the outline of a camera."""
    middle, y = stage.x + stage.w // 2, stage.y + stage.h // 2
    _draw_camera(canvas, middle, y - round(3 * unit), unit)
    drawing.draw_text(canvas, headline, middle, y, round(1.8 * unit), TEXT, align=0.5)
    room = stage.w - round(4 * unit)
    below = y + round(2.8 * unit)
    drawing.draw_text(canvas, reason, middle, below, small_px(unit), TEXT, align=0.5, max_px=room)


def _draw_camera(canvas: Image, x: int, y: int, unit: float) -> None:
    """The outline of a camera around (x, y)."""
    thick = max(2, round(0.14 * unit))
    across, hump = round(2.2 * unit), round(0.9 * unit)
    top, foot, over = y - round(1.3 * unit), y + round(1.6 * unit), y - round(1.9 * unit)
    half = [(0, foot), (across, foot), (across, top), (hump, top), (round(0.6 * unit), over)]
    points = [(x + dx, at) for dx, at in half] + [(x - dx, at) for dx, at in reversed(half)]
    cv2.polylines(canvas, [np.array(points, np.int32)], True, GREY, thick, cv2.LINE_AA)
    cv2.circle(canvas, (x, y + thick), round(0.85 * unit), GREY, thick, cv2.LINE_AA)
