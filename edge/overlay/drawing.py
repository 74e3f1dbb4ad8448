"""Drawing on images: colours, text, bars and chips. Knows pixels, and nothing of what they mean.

Text is rendered once by Pillow at the size at which it is shown, kept as a bitmap (what to keep of
the background, what to add), and blended onto the image by OpenCV.
"""

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from edge.overlay.marks import draw_marks, drawable, letters_of
from edge.types import Image

Polyline = npt.NDArray[np.float64]
"""(n, 2) points, px"""
Colour = tuple[int, int, int]
"""blue, green, red"""

BACKGROUND: Colour = (26, 21, 18)
CARD_BACKGROUND: Colour = (44, 37, 32)
TRACK: Colour = (66, 57, 50)
TEXT: Colour = (242, 237, 232)
MUTED: Colour = (170, 158, 146)
AMBER: Colour = (77, 176, 255)
RED: Colour = (90, 84, 245)
GREEN: Colour = (134, 201, 92)
GREY: Colour = (150, 140, 132)
FRACTION_BITS = 3
"""Outlines are drawn to an eighth of a pixel: whole ones would show as steps in round corners."""
OVERSAMPLING = 4
"""Letters are drawn this much larger and averaged: their spacing is then right at small sizes."""


class Rect(NamedTuple):
    """px; x and y are the upper left corner."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    def overlaps(self, other: "Rect") -> bool:
        """Whether the two share a pixel."""
        beside = self.right <= other.x or other.right <= self.x
        return not (beside or self.bottom <= other.y or other.bottom <= self.y)

    def shared_px(self, other: "Rect") -> int:
        """How many pixels the two share."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0, w) * max(0, h)

    def contains(self, other: "Rect") -> bool:
        """Whether all of the other lies within."""
        across = self.x <= other.x and other.right <= self.right
        return across and self.y <= other.y and other.bottom <= self.bottom

    def inset(self, margin: int) -> "Rect":
        """Smaller by `margin` px on every side."""
        return Rect(self.x + margin, self.y + margin, self.w - 2 * margin, self.h - 2 * margin)

    def moved_into(self, other: "Rect") -> "Rect":
        """Moved as little as it takes to lie within the other, as far as it fits."""
        x = max(other.x, min(self.x, other.right - self.w))
        y = max(other.y, min(self.y, other.bottom - self.h))
        return self._replace(x=x, y=y)

    def of(self, image: Image) -> Image:
        """The part of the image under it: a view, smaller where it sticks out."""
        left, top = max(0, self.x), max(0, self.y)
        return image[top : max(top, self.bottom), left : max(left, self.right)]


class GlyphBitmap(NamedTuple):
    """What stays of the background, 0 to 255, (h, w), and what is added to it, (h, w, 3); uint8."""

    keep: Image
    add: Image

    @property
    def width_px(self) -> int:
        return int(self.keep.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.keep.shape[0])


def blend(colour: Colour, other: Colour, fraction: float) -> Colour:
    """`fraction` of the other colour in the first one, 0 to 1."""
    blue, green, red = (round(a + (b - a) * fraction) for a, b in zip(colour, other, strict=True))
    return blue, green, red


@lru_cache(maxsize=32)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface, OVERSAMPLING times larger: no font file is needed."""
    face = ImageFont.load_default(size_px * OVERSAMPLING)
    assert isinstance(face, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return face


@lru_cache(maxsize=1024)
def width_px(text: str, size_px: int) -> int:
    """How wide a line of text is."""
    return int(np.ceil(font(size_px).getlength(letters_of(text)) / OVERSAMPLING))


def height_px(size_px: int) -> int:
    """How high a line of text is, from the tallest letter's top to the deepest one's foot."""
    return -(-sum(font(size_px).getmetrics()) // OVERSAMPLING)


def cap_height_px(size_px: int) -> float:
    """How high capital letters are."""
    _, top, _, foot = font(size_px).getbbox("H")
    return float(foot - top) / OVERSAMPLING


@lru_cache(maxsize=1024)
def ellipsize(text: str, size_px: int, max_px: int) -> str:
    """The text in what can be drawn, cut to `max_px` with an ellipsis at its end."""
    text = drawable(text[: max(0, 2 * max_px)])  # no letter is narrower than a pixel
    if width_px(text, size_px) <= max_px:
        return text
    lengths = range(len(text))
    fit = bisect_right(lengths, max_px, key=lambda n: width_px(text[:n] + "…", size_px)) - 1
    return text[:fit].rstrip() + "…" if fit > 0 else ""


@lru_cache(maxsize=64)
def wrap(text: str, size_px: int, max_px: int, max_lines: int) -> tuple[str, ...]:
    """The text in lines of `max_px`, broken at spaces; the last one is cut where there are more."""
    lines, words = [""], text.split()
    while words and len(lines) <= max_lines:
        longer = f"{lines[-1]} {words[0]}".lstrip()
        if not lines[-1] or width_px(longer, size_px) <= max_px:
            lines[-1] = longer
            words.pop(0)
        elif len(lines) == max_lines:
            lines[-1] = " ".join([lines[-1], *words])
            break
        else:
            lines.append("")
    return tuple(ellipsize(line, size_px, max_px) for line in lines)


@lru_cache(maxsize=384)
def text_bitmap(text: str, size_px: int, colour: Colour) -> GlyphBitmap:
    """A line of text, `height_px(size_px)` high."""
    mask = _letters(text, size_px, (width_px(text, size_px), height_px(size_px)), (0, 0))
    return _bitmap(mask, np.full((*mask.shape, 3), colour, np.uint8))


@lru_cache(maxsize=128)
def chip_bitmap(text: str, size_px: int, colour: Colour, fill: Colour) -> GlyphBitmap:
    """A line of text on a filled, rounded label."""
    side, foot = round(size_px * 0.45), round(size_px * 0.14)
    size = width_px(text, size_px) + 2 * side, height_px(size_px) + 2 * foot
    letters = _letters(text, size_px, size, (side, foot))[..., None] / 255
    colours = letters * colour + (1 - letters) * fill
    return _bitmap(_rounded(size, round(size_px * 0.3)), colours.astype(np.uint8))


def _letters(text: str, size_px: int, size: tuple[int, int], at: tuple[int, int]) -> Image:
    """(h, w) coverage, 0 to 255."""
    page = PillowImage.new("L", (max(1, size[0]) * OVERSAMPLING, size[1] * OVERSAMPLING))
    corner = (at[0] * OVERSAMPLING, at[1] * OVERSAMPLING)
    pen = ImageDraw.Draw(page)
    pen.text(corner, letters_of(text), fill=255, font=font(size_px))
    draw_marks(pen, text, font(size_px), size_px * OVERSAMPLING, corner)
    return np.asarray(page.reduce(OVERSAMPLING))


def _rounded(size: tuple[int, int], radius_px: int) -> Image:
    """(h, w) coverage of a rounded rectangle."""
    page = PillowImage.new("L", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    corner = (page.width - 1, page.height - 1)
    ImageDraw.Draw(page).rounded_rectangle(((0, 0), corner), radius_px * OVERSAMPLING, fill=255)
    return np.asarray(page.reduce(OVERSAMPLING))


def _bitmap(mask: Image, colours: Image) -> GlyphBitmap:
    add = (colours.astype(np.uint16) * mask[..., None] // 255).astype(np.uint8)
    return GlyphBitmap(np.bitwise_not(mask), add)


def blit(image: Image, x: int, y: int, bitmap: GlyphBitmap) -> None:
    """Put a bitmap with its upper left corner at (x, y); what sticks out is cut off."""
    background = Rect(x, y, bitmap.width_px, bitmap.height_px).of(image)
    if not background.size:
        return
    top, left = max(0, -y), max(0, -x)
    part = (slice(top, top + background.shape[0]), slice(left, left + background.shape[1]))
    kept = cv2.multiply(background, cv2.merge([bitmap.keep[part]] * 3), scale=1 / 255)
    background[:] = cv2.add(kept, bitmap.add[part])


def draw_text(
    image: Image,
    text: str,
    x: int,
    y: int,
    size_px: int,
    colour: Colour = TEXT,
    *,
    align: float = 0.0,
    max_px: int | None = None,
) -> int:
    """Write one line; returns its width, px.

    `x`: where it starts (`align` 0), has its middle (0.5) or ends (1). `y`: its upper edge.
    `max_px`: shorten it to this width.
    """
    if max_px is not None:
        text = ellipsize(text, size_px, max_px)
    bitmap = text_bitmap(text, size_px, colour)
    blit(image, round(x - align * bitmap.width_px), y, bitmap)
    return bitmap.width_px


def fill(image: Image, rect: Rect, colour: Colour) -> None:
    """Paint a rectangle."""
    if rect.w > 0 and rect.h > 0:
        corner = (rect.right - 1, rect.bottom - 1)
        cv2.rectangle(image, (rect.x, rect.y), corner, colour, cv2.FILLED)


def card(image: Image, rect: Rect, colour: Colour, radius_px: int) -> None:
    """Paint a rectangle with rounded corners."""
    radius = max(1, min(radius_px, rect.w // 2, rect.h // 2))
    fill(image, Rect(rect.x + radius, rect.y, rect.w - 2 * radius, rect.h), colour)
    fill(image, Rect(rect.x, rect.y + radius, rect.w, rect.h - 2 * radius), colour)
    for x in (rect.x + radius, rect.right - 1 - radius):
        for y in (rect.y + radius, rect.bottom - 1 - radius):
            cv2.circle(image, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)


def darken(image: Image, rect: Rect, fraction: float) -> None:
    """Darken a part of the image so that what is written on it can be read."""
    background = rect.of(image)
    if background.size:
        background[:] = cv2.convertScaleAbs(
            background, alpha=1 - fraction, beta=BACKGROUND[0] * fraction
        )


def bar(image: Image, rect: Rect, fraction: float, colour: Colour, track: Colour = TRACK) -> None:
    """A track, and the part of it that `fraction` (0 to 1) fills."""
    fill(image, rect, track)
    fill(image, rect._replace(w=round(rect.w * max(0.0, min(1.0, fraction)))), colour)


def outline(
    image: Image, rect: Rect, colour: Colour, thick_px: int, radius_px: float, *, dashed: bool
) -> None:
    """A rectangle with rounded corners, whole or dashed; the dashes are about as long as those."""
    path = _around(rect, min(radius_px, rect.w / 2, rect.h / 2))
    lines = _dashes(path, radius_px) if dashed else [path]
    fixed = [(line * 2**FRACTION_BITS).round().astype(np.int32) for line in lines]
    cv2.polylines(image, fixed, not dashed, colour, thick_px, cv2.LINE_AA, FRACTION_BITS)


def _around(rect: Rect, radius_px: float) -> Polyline:
    """Points along a rounded rectangle, clockwise from the right end of its lower edge."""
    left, top = rect.x + radius_px, rect.y + radius_px
    right, foot = rect.right - 1 - radius_px, rect.bottom - 1 - radius_px
    turn = np.linspace(0, np.pi / 2, 7)
    corners = []
    for quarter, corner in enumerate(((right, foot), (left, foot), (left, top), (right, top))):
        angle = turn + quarter * np.pi / 2
        way = np.stack([np.cos(angle), np.sin(angle)], 1)
        corners.append(corner + radius_px * way)
    return np.concatenate(corners)


def _dashes(path: Polyline, dash_px: float) -> list[Polyline]:
    """A closed path cut into dashes of about `dash_px`, with gaps of two thirds of that."""
    path = np.concatenate([path, path[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(4, round(along[-1] / (dash_px * 5 / 3)))
    starts = np.arange(count) * along[-1] / count
    at = starts[:, None] + np.linspace(0, 0.6 * along[-1] / count, 5)
    points = np.stack([np.interp(at, along, path[:, axis]) for axis in range(2)], 2)
    return list(points)
