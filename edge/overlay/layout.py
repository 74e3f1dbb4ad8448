"""Where everything stands on a screen of a given size. Pure arithmetic in units of `unit` px.

A unit is the height of the smallest letters' line: so many fit on the screen that capital letters
are at least 20 minutes of arc high on a full screen of 40 inches seen from 2 m.
"""

from typing import NamedTuple

from edge.overlay.drawing import Rect

MIN_TEXT_PX = 10
"""Smaller letters cannot be read."""
UNITS_SHORT, UNITS_LONG = 29, 38
"""That many units fit on the shorter and the longer side."""
GAP = 0.5
COLUMN = 15.0, 23.0
"""Least and greatest width of the cards' column."""
EMOTION, MICROPHONE, STATUS, NOTICE = 8.7, 5.8, 1.5, 1.6
"""Heights; the status has as many lines as it needs."""
VOICE = 7.6, 12.6
MINUTE = 6.6, 12.0
"""Least and greatest height of the timeline."""
BELOW = 24.0
"""Height of all cards together, where they stand below the picture."""
NATURAL_HEIGHT_PX = 720
DEFAULT_ASPECT = 4 / 3
PICTURE_ASPECTS = 3 / 5, 16 / 9
"""Width over height of pictures that a window is made for; others stand between bars."""


Parts = tuple[Rect, Rect, Rect, Rect, Rect, Rect]


class Layout(NamedTuple):
    """The parts of the screen, px."""

    unit: float
    stage: Rect
    """The picture's place."""
    minute: Rect
    emotion: Rect
    voice: Rect
    microphone: Rect
    status: Rect
    notice: Rect
    """Its height is 0 without a notice."""


def unit_of(size: tuple[int, int]) -> float:
    """The unit of length, px, for a screen of (w, h) px."""
    return max(float(MIN_TEXT_PX), min(min(size) / UNITS_SHORT, max(size) / UNITS_LONG))


def lay_out(
    size: tuple[int, int], aspect: float | None, status_lines: int, notice_lines: int
) -> Layout:
    """`size`: (w, h) px. `aspect`: width over height of the picture, None = there is none yet."""
    unit = unit_of(size)
    aspect = aspect or DEFAULT_ASPECT
    status = STATUS * status_lines
    foot = round((NOTICE * notice_lines + 0.2) * unit) if notice_lines else 0
    notice = Rect(0, size[1] - foot, size[0], foot)
    whole = Rect(0, 0, size[0], size[1] - foot)
    beside = min(whole.w - COLUMN[0] * unit, (whole.h - MINUTE[0] * unit) * aspect)
    below = min(float(whole.w), (whole.h - (BELOW + status) * unit) * aspect)
    arrange = _beside if beside >= below else _below  # whichever leaves the larger picture
    stage, minute, emotion, voice, microphone, line = arrange(whole, unit, aspect, status)
    return Layout(unit, stage, minute, emotion, voice, microphone, line, notice)


def natural_size(frame_size: tuple[int, int]) -> tuple[int, int]:
    """(w, h) px, of a window in which a frame of (w, h) px leaves no bars; or any scale of it."""
    aspect = _usual(frame_size[0] / frame_size[1])
    unit = NATURAL_HEIGHT_PX / UNITS_SHORT
    column = sum(COLUMN) / 2
    stage = (UNITS_SHORT - MINUTE[0] - 2 * GAP) * aspect
    width = max(stage + column, UNITS_LONG + 1.0)
    return round(width * unit), NATURAL_HEIGHT_PX


def _usual(aspect: float) -> float:
    return min(max(PICTURE_ASPECTS[0], aspect), PICTURE_ASPECTS[1])


def _beside(whole: Rect, unit: float, aspect: float, status: float) -> Parts:
    """The picture and under it the last minute; the cards in a column at the right."""
    gap = round(GAP * unit)
    room = whole.h - round(MINUTE[0] * unit) - 2 * gap
    width = _clamp(whole.w - room * aspect, COLUMN, unit, whole.w * 3 // 5)
    stage = Rect(0, 0, whole.w - width, min(room, round((whole.w - width) / aspect)))
    under = whole.h - 2 * gap - stage.h
    minute = min(under, round(MINUTE[1] * unit))
    stage = stage._replace(h=whole.h - 2 * gap - minute)
    column = Rect(stage.right + gap, gap, width - 2 * gap, whole.h - gap - gap // 2)
    emotion, voice, microphone, line = _column(column, unit, gap, status)
    last = Rect(gap, stage.h + gap, stage.w - gap, minute)
    return stage, last, emotion, voice, microphone, line


def _column(column: Rect, unit: float, gap: int, status: float) -> tuple[Rect, Rect, Rect, Rect]:
    """Emotion, voice, microphone and status, one below the other; they share what is left."""
    line = round(status * unit)
    fixed = [round(height * unit) for height in (EMOTION, MICROPHONE)]
    voice = column.h - sum(fixed) - line - 3 * gap
    spare = max(0, voice - round(VOICE[1] * unit))
    heights = [fixed[0] + spare // 2, voice - spare, fixed[1] + spare - spare // 2]
    rects, y = [], column.y
    for height in heights:
        rects.append(column._replace(y=y, h=max(0, height)))
        y += max(0, height) + gap
    return rects[0], rects[1], rects[2], column._replace(y=column.bottom - line, h=line)


def _below(whole: Rect, unit: float, aspect: float, status: float) -> Parts:
    """The picture, and all cards under it."""
    gap = round(GAP * unit)
    line = round(status * unit)
    cards = round(BELOW * unit) + line
    height = min(round(whole.w / aspect), max(whole.h // 3, whole.h - cards))
    stage = Rect(0, 0, whole.w, height)
    inner = Rect(gap, stage.bottom + gap, whole.w - 2 * gap, 0)
    half = (inner.w - gap) // 2
    emotion = inner._replace(w=half, h=round(EMOTION * unit))
    microphone = emotion._replace(x=emotion.right + gap)
    voice = inner._replace(y=emotion.bottom + gap, h=round(VOICE[0] * unit))
    below = whole.bottom - line - voice.bottom - 2 * gap
    minute = inner._replace(y=voice.bottom + gap, h=max(0, below))
    return stage, minute, emotion, voice, microphone, inner._replace(y=whole.bottom - line, h=line)


def _clamp(value: float, limits: tuple[float, float], unit: float, most: int) -> int:
    return min(round(min(max(limits[0] * unit, value), limits[1] * unit)), most)
