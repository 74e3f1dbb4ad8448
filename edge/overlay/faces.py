"""What is drawn on the faces: boxes, labels and scores, kept inside the image and apart.

Larger faces choose their places first. In a crowd, and where there is no room beside a face, its
scores become a strip with initials at its foot.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from edge.bus.messages import FaceResult
from edge.language import Language
from edge.overlay import drawing
from edge.overlay.bars import certainty, colour_of, draw_score, draw_strip, label_width, small_px
from edge.overlay.drawing import BACKGROUND, TEXT, Colour, GlyphBitmap, Rect
from edge.overlay.places import Choose, Places
from edge.types import Image

BAR_WIDTH, ROW_HEIGHT, MARGIN = 3.2, 1.2, 0.5
"""units; of the chart beside a face"""
HELD_DIMMING = 0.5
CHART_SHADE = 0.85
STRIP = 4.6, 1.2
"""units; the least width, and the height, of a strip of scores"""
MAX_COVERED = 0.2
"""Of a face's height; it is never hidden by more of its own strip."""
MAX_CHARTS = 3
"""With more faces than this the charts would hide the image: all get strips."""


def draw_faces(
    image: Image,
    unit: float,
    faces: Iterable[FaceResult],
    frame_size: tuple[int, int],
    followed: int | None,
    language: Language,
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
    boxes = [(face, scaled(face, frame_size, bounds)) for face in faces]
    boxes.sort(key=lambda pair: pair[1].w * pair[1].h, reverse=True)
    for face, box in reversed(boxes):
        heavy = face.id == followed and len(boxes) > 1
        _draw_box(image, box, unit * (1.6 if heavy else 1.0), face)
    memory = Places() if memory is None else memory
    memory.keep({face.id for face, _ in boxes})
    taken, named = [box for _, box in boxes], []
    for face, box in boxes:
        labels = _labels(face, unit, language, bounds.w, in_crowd=len(boxes) > MAX_CHARTS)
        choose = partial(memory.choose, face.id)
        named.append(_draw_label(image, bounds, unit, labels, box, taken, choose))
        taken.append(named[-1])
    for (face, box), label in zip(boxes, named, strict=True):
        room = label_width(language, face.scores, unit)
        choose, chart = partial(memory.choose, face.id), None
        if len(boxes) <= MAX_CHARTS:
            chart = _chart_place(bounds, unit, room, face, box, taken, choose)
        if chart is not None:
            _draw_chart(image, chart, unit, room, language, face)
        else:
            chart = _strip_place(bounds, unit, box, label, taken, choose)
            draw_strip(image, chart, unit, language, face.scores)
        taken.append(chart)


def scaled(face: FaceResult, frame_size: tuple[int, int], bounds: Rect) -> Rect:
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
    radius = max(1.0, min(7 * thick, box.w / 8, box.h / 8))
    colour = _colour(face)
    for rim, width_px in (
        (BACKGROUND, thick + 2),
        (colour, thick),
    ):  # a dark rim, to be seen anywhere
        drawing.outline(image, box, rim, width_px, radius, dashed=face.held)


def _draw_label(
    image: Image,
    bounds: Rect,
    unit: float,
    labels: Sequence[GlyphBitmap],
    box: Rect,
    taken: list[Rect],
    choose: Choose,
) -> Rect:
    """The longest that finds a free place above the box or below it; else in its upper edge."""
    gap = max(3, round(0.25 * unit))
    others = [rect for rect in taken if rect is not box]

    def is_free(place: Rect) -> bool:
        return not place.overlaps(box) and not _collides(place, others)

    for number, label in enumerate(labels):
        above, below, inside = (
            Rect(box.x - max(1, gap // 3), y, label.width_px, label.height_px).moved_into(bounds)
            for y in (box.y - gap - label.height_px, box.bottom + gap, box.y + gap)
        )
        place = choose(f"label {number}", [above, below], is_free, gap // 2)
        if place is not None:
            drawing.blit(image, place.x, place.y, label)
            return place
    drawing.blit(image, inside.x, inside.y, label)
    return inside


def _labels(
    face: FaceResult, unit: float, language: Language, room_px: int, *, in_crowd: bool
) -> list[GlyphBitmap]:
    """Number and emotion: with how sure that is, without, and by its initials."""
    name = f"{face.id}  {language.emotion(face.emotion)}"
    percent = f"{name}  {certainty(language, face.emotion, face.confidence)}".rstrip()
    short = f"{face.id}  {language.initials(face.emotion)}"
    size_px, letters = small_px(unit), TEXT if face.held else BACKGROUND
    return [
        drawing.chip_bitmap(
            drawing.ellipsize(text, size_px, room_px), size_px, letters, _colour(face)
        )
        for text in ([name, short] if in_crowd else [percent, name, short])
    ]


def _collides(place: Rect, taken: Iterable[Rect]) -> bool:
    return any(place.overlaps(rect) for rect in taken)


def _chart_place(
    bounds: Rect,
    unit: float,
    room: int,
    face: FaceResult,
    box: Rect,
    taken: list[Rect],
    choose: Choose,
) -> Rect | None:
    """Right of the box or left of it, where that is free. `room`: of the labels, px."""
    width = room + round((BAR_WIDTH + 2 * MARGIN) * unit)
    height = round((len(face.scores) * ROW_HEIGHT + 2 * MARGIN) * unit)
    gap = max(4, round(0.4 * unit))
    y = max(0, min(box.y, bounds.h - height))
    beside = [Rect(x, y, width, height) for x in (box.right + gap, box.x - gap - width)]

    def is_free(place: Rect) -> bool:
        return bounds.contains(place) and not _collides(place, taken)

    return choose("chart", beside, is_free, gap // 2)


def _draw_chart(
    image: Image, chart: Rect, unit: float, room: int, language: Language, face: FaceResult
) -> None:
    drawing.darken(image, chart, CHART_SHADE)
    inner = chart.inset(round(MARGIN * unit))
    rows = len(face.scores)
    for row, (label, score) in enumerate(face.scores.items()):
        top, foot = inner.y + row * inner.h // rows, inner.y + (row + 1) * inner.h // rows
        line = inner._replace(y=top, h=foot - top)
        best = label == face.emotion
        draw_score(image, line, room, unit, language, label, score, best=best)
    if face.held:
        drawing.darken(image, chart, HELD_DIMMING)


def _strip_place(
    bounds: Rect, unit: float, box: Rect, label: Rect, taken: list[Rect], choose: Choose
) -> Rect:
    """Below the box or above it and its label, else inside; empty where it would hide the face."""
    least, thick = (round(part * unit) for part in STRIP)
    gap, width = max(4, round(0.3 * unit)), max(box.w, least)
    rows = (box.bottom + gap, box.y - gap - thick, label.y - gap - thick)

    def is_free(place: Rect) -> bool:
        return bounds.contains(place) and not _collides(place, taken)

    place = choose("strip", [Rect(label.x, y, width, thick) for y in rows], is_free, gap // 2)
    if place is not None:
        return place
    if thick > MAX_COVERED * box.h or width > box.w:
        return Rect(box.x, box.bottom, 0, 0)
    inside = Rect(box.x + gap, box.bottom - gap - thick, box.w - 2 * gap, thick)
    return inside.moved_into(bounds.inset(gap))
