"""Ink: colours, text, bars and chips on a picture. Knows pixels, and nothing of what they say.

Text is rendered once by Pillow at the size at which it is shown, kept as a stamp (what to keep of
the ground, what to add), and pressed onto the picture by OpenCV.
"""

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from edge.types import Image

Path = npt.NDArray[np.float64]
"""(n, 2) points, px"""
Colour = tuple[int, int, int]
"""blue, green, red"""

GROUND: Colour = (26, 21, 18)
RAISED: Colour = (44, 37, 32)
TRACK: Colour = (66, 57, 50)
TEXT: Colour = (242, 237, 232)
MUTED: Colour = (170, 158, 146)
AMBER: Colour = (77, 176, 255)
RED: Colour = (90, 84, 245)
GREEN: Colour = (134, 201, 92)
GREY: Colour = (150, 140, 132)
FINE = 4
"""Letters are drawn this much larger and averaged: their spacing is then right at small sizes."""
SIGNS = "·…°"
"""What Pillow's own font has beyond ASCII, and this product uses."""


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

    def holds(self, other: "Rect") -> bool:
        """Whether all of the other lies within."""
        across = self.x <= other.x and other.right <= self.right
        return across and self.y <= other.y and other.bottom <= self.bottom

    def shrunk(self, margin: int) -> "Rect":
        """Smaller by `margin` px on every side."""
        return Rect(self.x + margin, self.y + margin, self.w - 2 * margin, self.h - 2 * margin)

    def kept_in(self, other: "Rect") -> "Rect":
        """Moved as little as it takes to lie within the other, as far as it fits."""
        x = max(other.x, min(self.x, other.right - self.w))
        y = max(other.y, min(self.y, other.bottom - self.h))
        return self._replace(x=x, y=y)

    def of(self, image: Image) -> Image:
        """The part of the image under it: a view, smaller where it sticks out."""
        left, top = max(0, self.x), max(0, self.y)
        return image[top : max(top, self.bottom), left : max(left, self.right)]


class GlyphBitmap(NamedTuple):
    """What stays of the ground (0 to 255) and what is added to it, each (h, w, 3) uint8."""

    keep: Image
    ink: Image

    @property
    def width_px(self) -> int:
        return self.keep.shape[1]

    @property
    def height_px(self) -> int:
        return self.keep.shape[0]


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the first one, 0 to 1."""
    blue, green, red = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return blue, green, red


@lru_cache(maxsize=32)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface, FINE times larger: no file of anybody's is needed."""
    face = ImageFont.load_default(size_px * FINE)
    assert isinstance(face, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return face


@lru_cache(maxsize=1024)
def width_px(text: str, size_px: int) -> int:
    """How wide a line of text is."""
    return int(np.ceil(font(size_px).getlength(plain(text)) / FINE))


def height_px(size_px: int) -> int:
    """How high a line of text is, from the tallest letter's top to the deepest one's foot."""
    return -(-sum(font(size_px).getmetrics()) // FINE)


def plain(text: str) -> str:
    """The text in letters that the font has: "Kamera für Tür 2" is "Kamera fur Tur 2"."""
    known = (c if c in SIGNS else unicodedata.normalize("NFKD", c) for c in text)
    return "".join(c for c in "".join(known) if c in SIGNS or " " <= c <= "~")


@lru_cache(maxsize=1024)
def fitted(text: str, size_px: int, room_px: int) -> str:
    """The text in letters that the font has, shortened with an ellipsis to what `room_px` holds."""
    text = plain(text)[: max(0, room_px)]  # no letter is narrower than a pixel
    if width_px(text, size_px) <= room_px:
        return text
    lengths = range(len(text))
    fit = bisect_right(lengths, room_px, key=lambda n: width_px(text[:n] + "…", size_px)) - 1
    return text[:fit].rstrip() + "…" if fit > 0 else ""


@lru_cache(maxsize=384)
def text_stamp(text: str, size_px: int, colour: Colour) -> GlyphBitmap:
    """A line of text, `height_px(size_px)` high."""
    mask = _letters(text, size_px, (width_px(text, size_px), height_px(size_px)), (0, 0))
    return _stamp(mask, np.full((*mask.shape, 3), colour, np.uint8))


@lru_cache(maxsize=48)
def chip_stamp(text: str, size_px: int, colour: Colour, fill: Colour) -> GlyphBitmap:
    """A line of text on a filled, rounded label."""
    side, foot = round(size_px * 0.45), round(size_px * 0.14)
    size = width_px(text, size_px) + 2 * side, height_px(size_px) + 2 * foot
    letters = _letters(text, size_px, size, (side, foot))[..., None] / 255
    colours = letters * colour + (1 - letters) * fill
    return _stamp(_rounded(size, round(size_px * 0.3)), colours.astype(np.uint8))


def _letters(text: str, size_px: int, size: tuple[int, int], at: tuple[int, int]) -> Image:
    """(h, w) coverage, 0 to 255."""
    page = PillowImage.new("L", (max(1, size[0]) * FINE, size[1] * FINE))
    corner = (at[0] * FINE, at[1] * FINE)
    ImageDraw.Draw(page).text(corner, plain(text), fill=255, font=font(size_px))
    return np.asarray(page.reduce(FINE))


def _rounded(size: tuple[int, int], radius_px: int) -> Image:
    """(h, w) coverage of a rounded rectangle."""
    page = PillowImage.new("L", (size[0] * FINE, size[1] * FINE))
    corner = (page.width - 1, page.height - 1)
    ImageDraw.Draw(page).rounded_rectangle(((0, 0), corner), radius_px * FINE, fill=255)
    return np.asarray(page.reduce(FINE))


def _stamp(mask: Image, colours: Image) -> GlyphBitmap:
    alpha = np.repeat(mask[..., None], 3, axis=2)
    ink = (colours.astype(np.uint16) * alpha // 255).astype(np.uint8)
    return GlyphBitmap(np.bitwise_not(alpha), ink)


def press(image: Image, x: int, y: int, stamp: GlyphBitmap) -> None:
    """Put a stamp with its upper left corner at (x, y); what sticks out is cut off."""
    ground = Rect(x, y, stamp.width_px, stamp.height_px).of(image)
    if not ground.size:
        return
    top, left = max(0, -y), max(0, -x)
    part = (slice(top, top + ground.shape[0]), slice(left, left + ground.shape[1]))
    kept = cv2.multiply(ground, stamp.keep[part], scale=1 / 255)
    ground[:] = cv2.add(kept, stamp.ink[part])


def write(
    image: Image,
    text: str,
    x: int,
    y: int,
    size_px: int,
    colour: Colour = TEXT,
    *,
    align: float = 0.0,
    room_px: int | None = None,
) -> int:
    """Write one line; returns its width, px.

    `x`: where it starts (`align` 0), has its middle (0.5) or ends (1). `y`: its upper edge.
    `room_px`: shorten it to this width.
    """
    if room_px is not None:
        text = fitted(text, size_px, room_px)
    stamp = text_stamp(text, size_px, colour)
    press(image, round(x - align * stamp.width_px), y, stamp)
    return stamp.width_px


def fill(image: Image, rect: Rect, colour: Colour) -> None:
    """Paint a rectangle."""
    if rect.w > 0 and rect.h > 0:
        corner = (rect.right - 1, rect.bottom - 1)
        cv2.rectangle(image, (rect.x, rect.y), corner, colour, cv2.FILLED)


def shade(image: Image, rect: Rect, share: float) -> None:
    """Darken a part of the picture so that what is written on it can be read."""
    ground = rect.of(image)
    if ground.size:
        ground[:] = cv2.convertScaleAbs(ground, alpha=1 - share, beta=GROUND[0] * share)


def bar(image: Image, rect: Rect, share: float, colour: Colour, track: Colour = TRACK) -> None:
    """A track, and the part of it that `share` (0 to 1) fills."""
    fill(image, rect, track)
    fill(image, rect._replace(w=round(rect.w * max(0.0, min(1.0, share)))), colour)


def outline(
    image: Image, rect: Rect, colour: Colour, thick_px: int, radius_px: float, *, dashed: bool
) -> None:
    """A rectangle with rounded corners, whole or dashed; the dashes are about as long as those."""
    path = _around(rect, min(radius_px, rect.w / 8, rect.h / 8))
    lines = _dashes(path, radius_px) if dashed else [path]
    whole = [line.round().astype(np.int32) for line in lines]
    cv2.polylines(image, whole, not dashed, colour, thick_px, cv2.LINE_AA)


def _around(rect: Rect, radius_px: float) -> Path:
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


def _dashes(path: Path, dash_px: float) -> list[Path]:
    """A closed path cut into dashes of about `dash_px`, with gaps of two thirds of that."""
    path = np.concatenate([path, path[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(4, round(along[-1] / (dash_px * 5 / 3)))
    starts = np.arange(count) * along[-1] / count
    at = starts[:, None] + np.linspace(0, 0.6 * along[-1] / count, 5)
    points = np.stack([np.interp(at, along, path[:, axis]) for axis in range(2)], 2)
    return list(points)
