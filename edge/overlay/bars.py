"""What an emotion looks like: one colour each, and the ways to show scores.

Colour never stands alone: every bar has its label, every part of a strip its initials. Between any
two colours the difference (CIEDE2000) is at least 12 for normal, protan, deutan and tritan eyes.
"""

from edge.bus.messages import UNCERTAIN, LabelScores
from edge.language import Language
from edge.overlay import drawing
from edge.overlay.drawing import BACKGROUND, GREY, MUTED, TEXT, Colour, Rect
from edge.overlay.layout import MIN_TEXT_PX
from edge.types import Image

COLOURS: dict[str, Colour] = {
    "angry": (51, 86, 220),
    "disgust": (105, 189, 168),
    "fear": (209, 154, 173),
    "happy": (44, 215, 255),
    "neutral": (236, 247, 214),
    "sad": (245, 127, 26),
    "surprise": (177, 164, 255),
    "calm": (254, 244, 15),
}
SAME = {"fearful": "fear", "surprised": "surprise"}
"""The voice network's names for what the face network calls otherwise."""


def colour_of(emotion: str) -> Colour:
    """The emotion's colour; grey for `uncertain` and for anything unknown."""
    return COLOURS.get(SAME.get(emotion, emotion), GREY)


def certainty(language: Language, emotion: str, confidence: float) -> str:
    """How sure an emotion is, in percent; empty for `uncertain`, which none is sure of."""
    return "" if emotion == UNCERTAIN else language.percent(confidence)


def small_px(unit: float) -> int:
    """The size of the smallest letters."""
    return max(MIN_TEXT_PX, round(unit))


def label_width(language: Language, labels: LabelScores, unit: float) -> int:
    """Room for the widest of these labels, px."""
    widths = (drawing.width_px(language.emotion(label), small_px(unit)) for label in labels)
    return max(widths, default=0) + round(0.5 * unit)


def draw_score(
    image: Image,
    line: Rect,
    room: int,
    unit: float,
    language: Language,
    label: str,
    score: float,
    *,
    best: bool,
) -> None:
    """A label's name with `room` px, and its bar (`score` 0 to 1), on a line of the image."""
    y = line.y + (line.h - drawing.height_px(small_px(unit))) // 2
    ink, name = TEXT if best else MUTED, language.emotion(label)
    drawing.draw_text(image, name, line.x, y, small_px(unit), ink, max_px=room)
    left = line.x + room
    thick = max(3, round(0.42 * unit))
    track = Rect(left, line.y + (line.h - thick) // 2, max(0, line.right - left), thick)
    drawing.bar(image, track, score, colour_of(label))


def draw_strip(
    image: Image, rect: Rect, unit: float, language: Language, scores: LabelScores
) -> None:
    """The scores side by side, those that have room for their initials; the rest is grey."""
    total = sum(max(0.0, score) for score in scores.values())
    if not total:
        return
    drawing.fill(image, rect, GREY)
    left = rect.x
    for label, score in sorted(scores.items(), key=lambda pair: -pair[1]):
        width = round(rect.w * max(0.0, score) / total)
        part = rect._replace(x=left, w=min(width, rect.right - left))
        if not draw_initials(image, part, unit, language, label):
            return
        left = part.right


def draw_initials(image: Image, rect: Rect, unit: float, language: Language, label: str) -> bool:
    """A part of a strip in the label's colour, if it has room for the initials."""
    size_px, initials = small_px(unit), language.initials(label)
    if rect.w < initials_width(language, label, unit):
        return False
    drawing.fill(image, rect, colour_of(label))
    y = rect.y + (rect.h - drawing.height_px(size_px)) // 2
    middle = rect.x + rect.w // 2
    drawing.draw_text(image, initials, middle, y, size_px, BACKGROUND, align=0.5)
    return True


def initials_width(language: Language, label: str, unit: float) -> int:
    """The least room for a label's initials, px."""
    width = drawing.width_px(language.initials(label), small_px(unit))
    return width + max(2, round(0.2 * unit))
