"""Dots and accents, which Pillow's own font lacks: composed over its letters."""

import unicodedata

from PIL import ImageDraw, ImageFont

NON_ASCII_GLYPHS = "·…°"
"""What Pillow's own font has beyond ASCII, and this product uses."""
DOTS, GRAVE, ACUTE, CIRCUMFLEX, TILDE, RING = "\u0308\u0300\u0301\u0302\u0303\u030a"
STROKES: dict[str, tuple[tuple[float, float], ...]] = {
    GRAVE: ((-0.09, -0.2), (0.05, -0.1)),
    ACUTE: ((0.09, -0.2), (-0.05, -0.1)),
    CIRCUMFLEX: ((-0.13, -0.1), (0, -0.2), (0.13, -0.1)),
    TILDE: ((-0.14, -0.11), (-0.06, -0.17), (0.06, -0.11), (0.14, -0.17)),
    RING: ((0.08, -0.16), (0, -0.08), (-0.08, -0.16), (0, -0.24), (0.08, -0.16)),
}
"""Unicode's combining marks, which that font lacks -> a line from a letter's middle top, em."""
DOTS_EM = (0.125, 0.14, 0.062)
"""From that point to the side and up, and the radius."""
SPELLED_OUT = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "–": "-", "’": "'"})


def drawable(text: str) -> str:
    """The text in what can be drawn, decomposed: "für" is "fu\u0308r"; what cannot is left out."""
    parts = (
        c if c in NON_ASCII_GLYPHS else unicodedata.normalize("NFKD", c)
        for c in text.translate(SPELLED_OUT)
    )
    return "".join(c for c in "".join(parts) if _is_letter(c) or c == DOTS or c in STROKES)


def _is_letter(c: str) -> bool:
    return c in NON_ASCII_GLYPHS or " " <= c <= "~"


def letters_of(text: str) -> str:
    """Without the marks, which take no room."""
    return "".join(filter(_is_letter, drawable(text)))


def draw_marks(
    pen: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont,
    em: int,
    corner: tuple[int, int],
) -> None:
    """The marks of a line of text whose letters begin at `corner`; `em`: the font's size, px."""
    letters = ""
    for c in drawable(text):
        if _is_letter(c):
            letters += c
            continue
        left, top, right, _ = font.getbbox(letters[-1:])
        x = corner[0] + font.getlength(letters[:-1]) + (left + right) / 2
        _draw_mark(pen, c, x, corner[1] + top, em)


def _draw_mark(pen: ImageDraw.ImageDraw, mark: str, x: float, y: float, em: int) -> None:
    """One mark over the middle of a letter's top."""
    if mark == DOTS:
        aside, up, radius = (part * em for part in DOTS_EM)
        for middle in (x - aside, x + aside):
            box = (middle - radius, y - up - radius, middle + radius, y - up + radius)
            pen.ellipse(box, fill=255)
        return
    points = [(x + dx * em, y + dy * em) for dx, dy in STROKES[mark]]
    pen.line(points, fill=255, width=max(1, round(0.07 * em)), joint="curve")
