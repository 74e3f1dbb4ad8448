"""What an emotion looks like: one colour each, and one way to show a score."""

from edge.bus.messages import LabelScores
from edge.overlay import drawing
from edge.overlay.drawing import GREY, MUTED, TEXT, Colour, Rect
from edge.types import Image

SMALL = 0.9
"""units; the size of small letters"""
MIN_TEXT_PX = 10
"""Smaller letters cannot be read."""
LABEL_WIDTH = 4.8
"""units; "surprised" is the widest"""

COLOURS: dict[str, Colour] = {
    "angry": (92, 88, 246),
    "disgust": (84, 186, 142),
    "fear": (250, 128, 170),
    "happy": (66, 204, 255),
    "neutral": (226, 216, 206),
    "sad": (255, 160, 92),
    "surprise": (200, 128, 255),
    "calm": (190, 208, 96),
}
SAME = {"fearful": "fear", "surprised": "surprise"}
"""The voice network's names for what the face network calls otherwise."""


def colour_of(emotion: str) -> Colour:
    """The emotion's colour; grey for `uncertain` and for anything unknown."""
    return COLOURS.get(SAME.get(emotion, emotion), GREY)


def small_px(unit: float) -> int:
    """The size of small letters where a unit has this many px."""
    return max(MIN_TEXT_PX, round(SMALL * unit))


def draw_score(image: Image, line: Rect, unit: float, label: str, score: float, best: bool) -> None:
    """A label and its bar (`score` 0 to 1), on a line of the image."""
    size_px = small_px(unit)
    y = line.y + (line.h - drawing.height_px(size_px)) // 2
    room = round(LABEL_WIDTH * max(unit, size_px / SMALL))
    drawing.draw_text(image, label, line.x, y, size_px, TEXT if best else MUTED, max_px=room)
    left = line.x + room
    thick = max(3, round(0.36 * unit))
    track = Rect(left, line.y + (line.h - thick) // 2, line.right - left, thick)
    drawing.bar(image, track, score, colour_of(label))


def draw_strip(image: Image, rect: Rect, scores: LabelScores) -> None:
    """All scores in one bar, side by side: where there is no room for more."""
    parts = {label: max(0.0, score) for label, score in scores.items()}
    total = sum(parts.values())
    left, fraction = rect.x, 0.0
    for label, part in parts.items():
        fraction += part / total if total else 0.0
        right = rect.x + round(rect.w * fraction)
        drawing.fill(image, rect._replace(x=left, w=right - left), colour_of(label))
        left = right
