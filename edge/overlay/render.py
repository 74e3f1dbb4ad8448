"""The whole screen: (frame, snapshot, size) -> an image of exactly that size.

Pure: no socket, no clock, no screen. The frame is scaled into its place first; boxes and text are
drawn at the size at which they are shown.
"""

import numpy as np

from edge.overlay import drawing, minute, panel, stage
from edge.overlay.bars import small_px
from edge.overlay.drawing import BACKGROUND, TEXT, Rect
from edge.overlay.layout import COLUMN, NOTICE, Layout, lay_out, unit_of
from edge.overlay.snapshot import Snapshot
from edge.types import Image

MAX_STATUS_LINES, MAX_NOTICE_LINES = 4, 2


def render(image: Image | None, snapshot: Snapshot, size: tuple[int, int]) -> Image:
    """The frame, what was found in it, and the cards.

    `image`: (height, width, 3) uint8 BGR, or None before there is one. `size`: (w, h) px of the
    result.
    """
    unit = unit_of(size)
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    problems, notice = _problems(snapshot, unit), _notice(snapshot, size[0], unit)
    aspect = image.shape[1] / image.shape[0] if image is not None else None
    places = lay_out(size, aspect, max(1, len(problems)), len(notice))
    drawing.fill(canvas, Rect(0, 0, *size), BACKGROUND)
    stage.draw(canvas, places.stage, unit, image, snapshot)
    minute.draw(canvas, places.minute, unit, snapshot)
    panel.draw_emotion(canvas, places.emotion, unit, snapshot)
    panel.draw_voice(canvas, places.voice, unit, snapshot)
    panel.draw_microphone(canvas, places.microphone, unit, snapshot)
    panel.draw_status(canvas, places.status, unit, snapshot, problems)
    _draw_notice(canvas, places, notice)
    return canvas


def _problems(snapshot: Snapshot, unit: float) -> tuple[str, ...]:
    """In lines that fit into the narrowest column."""
    text = "  ·  ".join(snapshot.problems)
    room = panel.status_room(round(COLUMN[0] * unit), unit)
    return drawing.wrap(text, small_px(unit), room, MAX_STATUS_LINES) if text else ()


def _notice(snapshot: Snapshot, width: int, unit: float) -> tuple[str, ...]:
    room = width - round(2 * unit)
    if not snapshot.notice:
        return ()
    return drawing.wrap(snapshot.notice, small_px(unit), room, MAX_NOTICE_LINES)


def _draw_notice(canvas: Image, places: Layout, lines: tuple[str, ...]) -> None:
    size_px, y = small_px(places.unit), places.notice.y
    middle = places.notice.x + places.notice.w // 2
    for line in lines:
        drawing.draw_text(canvas, line, middle, y, size_px, TEXT, align=0.5)
        y += round(NOTICE * places.unit)
