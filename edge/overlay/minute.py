"""The last minute on the panel: a lane a person and one for the voice, in colours and initials."""

from collections.abc import Sequence
from typing import NamedTuple

from edge.language import Language
from edge.overlay import drawing
from edge.overlay.bars import draw_initials, initials_width, small_px
from edge.overlay.drawing import CARD_BACKGROUND, GREY, MUTED, TEXT, TRACK, Rect
from edge.overlay.snapshot import Snapshot
from edge.overlay.timeline import Segment
from edge.types import Image

LANE, MAX_LANE, LANE_GAP, HEADLINE, MARGIN = 1.15, 2.4, 0.18, 1.5, 0.45
"""units; heights"""
TICK_S = 15.0


class Lane(NamedTuple):
    name: str
    segments: Sequence[Segment]
    is_voice: bool = False


def draw(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    """Draw as many lanes as there is room for."""
    drawing.card(image, rect, CARD_BACKGROUND, round(0.4 * unit))
    inner = rect.inset(round(MARGIN * unit))
    room = inner.h - HEADLINE * unit
    lanes = _lanes(snapshot, int(room / ((LANE + LANE_GAP) * unit)))
    side = _label_width([lane.name for lane in lanes], unit)
    track = inner._replace(x=inner.x + side, w=inner.w - side)
    if room <= 0 or track.w <= 0:
        return
    _draw_headline(image, inner, track, unit, snapshot.language)
    height = round(min(MAX_LANE * unit, room / max(1, len(lanes)) - LANE_GAP * unit))
    y = inner.y + round(HEADLINE * unit)
    for lane in lanes:
        row = track._replace(y=y, h=height)
        _draw_name(image, inner.x, row, unit, lane.name)
        _draw_lane(image, row, unit, snapshot, lane)
        y = row.bottom + round(LANE_GAP * unit)


def _lanes(snapshot: Snapshot, count: int) -> list[Lane]:
    """At most so many; the voice's is the last, unless there can be none."""
    now_s = snapshot.now_ns / 1e9
    has_voice = count > 0 and not snapshot.is_off("audio")
    people = snapshot.timeline.people(now_s, max(0, count - has_voice))
    lanes = [Lane(str(person.id), person.segments) for person in people]
    if has_voice:
        name = snapshot.language("minute.voice")
        lanes.append(Lane(name, snapshot.timeline.voices(now_s), is_voice=True))
    return lanes


def _label_width(names: Sequence[str], unit: float) -> int:
    widths = (drawing.width_px(name, small_px(unit)) for name in names)
    return max((2 * small_px(unit), *widths)) + round(0.5 * unit)


def _draw_headline(image: Image, inner: Rect, track: Rect, unit: float, text: Language) -> None:
    """What this is, and where the present is."""
    small = small_px(unit)
    drawing.draw_text(image, text("heading.minute"), inner.x, inner.y, small, MUTED)
    now = text("minute.now")
    drawing.draw_text(image, now, track.right, inner.y, small, MUTED, align=1.0)


def _draw_name(image: Image, x: int, row: Rect, unit: float, name: str) -> None:
    y = row.y + (row.h - drawing.height_px(small_px(unit))) // 2
    drawing.draw_text(image, name, x, y, small_px(unit), TEXT, max_px=row.x - x)


def _draw_lane(image: Image, row: Rect, unit: float, snapshot: Snapshot, lane: Lane) -> None:
    """Segments with room for their initials in their colour, others grey; voices always have it."""
    drawing.fill(image, row, TRACK)
    text, span_s, now_s = snapshot.language, snapshot.timeline.span_s, snapshot.now_ns / 1e9
    scale = row.w / span_s
    for tick in range(1, round(span_s / TICK_S)):
        x = row.x + round(tick * TICK_S * scale)
        drawing.fill(image, Rect(x, row.y, 1, row.h), CARD_BACKGROUND)
    for segment in lane.segments:
        left = row.right - round((now_s - segment.start_s) * scale)
        right = row.right - round((now_s - segment.end_s) * scale)
        least = initials_width(text, segment.label, unit) if lane.is_voice else 1
        left, right = max(row.x, left), min(row.right, right)
        part = row._replace(x=left, w=max(least, right - left)).moved_into(row)
        if not draw_initials(image, part, unit, text, segment.label):
            drawing.fill(image, part, GREY)
