"""What is drawn on the faces: boxes, labels and scores, kept inside the image and apart.

Larger faces choose their places first. In a crowd, and where there is no room beside a face, its
scores become a strip at its foot.
"""

from collections.abc import Iterable

from edge.bus.messages import FaceResult
from edge.overlay import drawing
from edge.overlay.bars import LABEL_WIDTH, colour_of, draw_score, draw_strip, small_px
from edge.overlay.drawing import BACKGROUND, TEXT, Colour, GlyphBitmap, Rect
from edge.overlay.places import Places
from edge.types import Image

BAR_WIDTH, ROW_HEIGHT, MARGIN = 4.2, 1.15, 0.5
"""units; of the chart beside a face"""
HELD_DIMMING = 0.5
CHART_SHADE = 0.9
MAX_CHARTS = 3
"""With more faces than this the charts would hide the image: all get strips."""


def draw_faces(
    image: Image,
    unit: float,
    faces: Iterable[FaceResult],
    frame_size: tuple[int, int],
    followed: int | None,
    memory: Places | None = None,
) -> None:
    """Draw every face onto the image.

    `frame_size`: (w, h) px of the frame whose px the boxes are in; without any there is nothing to
    draw. `followed`: the id of the face that the fused emotion goes by; its box is drawn heavier.
    `memory`: where labels and charts were in the image before; None for a single image.
    """
    if min(frame_size) <= 0:
        return
    bounds = Rect(0, 0, image.shape[1], image.shape[0])
    boxes = [(face, _scaled(face, frame_size, bounds)) for face in faces]
    boxes.sort(key=lambda pair: pair[1].w * pair[1].h, reverse=True)
    for face, box in reversed(boxes):
        heavy = face.id == followed and len(boxes) > 1
        _draw_box(image, box, unit * (1.6 if heavy else 1.0), face)
    memory = Places() if memory is None else memory
    memory.keep({face.id for face, _ in boxes})
    taken = [box for _, box in boxes]
    for face, box in boxes:
        taken.append(_draw_label(image, bounds, unit, face, box, taken, memory))
    for face, box in boxes:
        chart = None
        if len(boxes) <= MAX_CHARTS:
            chart = _chart_place(bounds, unit, face, box, taken, memory)
        if chart is not None:
            _draw_chart(image, chart, unit, face)
        else:
            chart = _strip_place(bounds, box, unit, taken)
            draw_strip(image, chart, face.scores)
        taken.append(chart)


def _scaled(face: FaceResult, frame_size: tuple[int, int], bounds: Rect) -> Rect:
    """The face's box in px of the image; what is far outside of it is drawn nearer."""
    x, y, w, h = face.box
    left, right = (_near(at / frame_size[0], bounds.w) for at in (x, x + w))
    top, foot = (_near(at / frame_size[1], bounds.h) for at in (y, y + h))
    return Rect(left, top, max(0, right - left), max(0, foot - top))


def _near(fraction: float, length_px: int) -> int:
    """A fraction of the image's side in px, at most one image away from it."""
    return round(max(-1.0, min(2.0, fraction)) * length_px)


def _colour(face: FaceResult) -> Colour:
    colour = colour_of(face.emotion)
    return drawing.blend(colour, BACKGROUND, HELD_DIMMING) if face.held else colour


def _draw_box(image: Image, box: Rect, unit: float, face: FaceResult) -> None:
    thick = max(2, round(0.12 * unit))
    colour = _colour(face)
    for rim, width_px in (
        (BACKGROUND, thick + 2),
        (colour, thick),
    ):  # a dark rim, to be seen anywhere
        drawing.outline(image, box, rim, width_px, 7 * thick, dashed=face.held)


def _draw_label(
    image: Image,
    bounds: Rect,
    unit: float,
    face: FaceResult,
    box: Rect,
    taken: list[Rect],
    memory: Places,
) -> Rect:
    """Above the box, below it or in its upper edge: the first place that is free."""
    bitmap = _label(face, unit, bounds.w)
    gap = max(3, round(0.25 * unit))
    left = box.x - max(1, gap // 3)
    places = [
        Rect(left, y, bitmap.width_px, bitmap.height_px).moved_into(bounds)
        for y in (box.y - gap - bitmap.height_px, box.bottom + gap, box.y + gap)
    ]
    others = [rect for rect in taken if rect is not box]

    def is_free(place: Rect) -> bool:
        return not place.overlaps(box) and not _collides(place, others)

    place = memory.choose(face.id, "label", places, is_free, gap // 2) or places[2]
    drawing.blit(image, place.x, place.y, bitmap)
    return place


def _label(face: FaceResult, unit: float, room_px: int) -> GlyphBitmap:
    text = f"{face.id}  {face.emotion}  {face.confidence:.0%}"
    text = drawing.ellipsize(text, small_px(unit), room_px)
    letters = TEXT if face.held else BACKGROUND
    return drawing.chip_bitmap(text, small_px(unit), letters, _colour(face))


def _collides(place: Rect, taken: Iterable[Rect]) -> bool:
    return any(place.overlaps(rect) for rect in taken)


def _chart_place(
    bounds: Rect, unit: float, face: FaceResult, box: Rect, taken: list[Rect], memory: Places
) -> Rect | None:
    """Right of the box or left of it, where that is free."""
    width, height = _chart_size(face, unit)
    gap = max(4, round(0.4 * unit))
    y = max(0, min(box.y, bounds.h - height))
    beside = [Rect(x, y, width, height) for x in (box.right + gap, box.x - gap - width)]

    def is_free(place: Rect) -> bool:
        return bounds.contains(place) and not _collides(place, taken)

    return memory.choose(face.id, "chart", beside, is_free, gap // 2)


def _chart_size(face: FaceResult, unit: float) -> tuple[int, int]:
    width = LABEL_WIDTH + BAR_WIDTH + 2 * MARGIN
    return round(width * unit), round((len(face.scores) * ROW_HEIGHT + 2 * MARGIN) * unit)


def _draw_chart(image: Image, chart: Rect, unit: float, face: FaceResult) -> None:
    drawing.darken(image, chart, CHART_SHADE)
    inner = chart.inset(round(MARGIN * unit))
    rows = len(face.scores)
    for row, (label, score) in enumerate(face.scores.items()):
        top, foot = inner.y + row * inner.h // rows, inner.y + (row + 1) * inner.h // rows
        line = inner._replace(y=top, h=foot - top)
        draw_score(image, line, unit, label, score, best=label == face.emotion)
    if face.held:
        drawing.darken(image, chart, HELD_DIMMING)


def _strip_place(bounds: Rect, box: Rect, unit: float, taken: list[Rect]) -> Rect:
    """Below the box where that is free, else inside it."""
    thick, gap = max(4, round(0.35 * unit)), max(4, round(0.3 * unit))
    below = Rect(box.x, box.bottom + gap, box.w, thick)
    if bounds.contains(below) and not _collides(below, taken):
        return below
    inside = Rect(box.x + gap, box.bottom - gap - thick, box.w - 2 * gap, thick)
    return inside.moved_into(bounds.inset(gap))
