"""What a detector returns: a face, the square crop around it, and when two crops are one face."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from edge.types import Box, Image

SAME_FACE_IOU = 0.3


class FaceBox(NamedTuple):
    """A face in an image."""

    box: Box
    """The crop for the network, a square (x, y, w, h) in px; may reach beyond the image."""
    score: float
    """0 to 1, by the detector's own measure."""

    def moved_by(self, x: float, y: float) -> "FaceBox":
        left, top, width, height = self.box
        return FaceBox((left + x, top + y, width, height), self.score)


class ScanSchedule(NamedTuple):
    """How often a detector scans a whole frame of a stream; in between it follows known faces."""

    full_s: float
    """Between full scans."""
    full_fraction: float
    """Of the time at most; a slow processor makes fewer full scans."""
    quick_s: float = math.inf
    """Between quick scans while faces are known. Without any face every frame has one."""
    max_followed: float = math.inf
    """More faces than these cost less in one quick scan."""


def square(x: float, y: float, side: float) -> Box:
    """The square with its centre at (x, y)."""
    return x - side / 2, y - side / 2, side, side


def score_of(face: FaceBox) -> float:
    return face.score


def distinct(faces: Iterable[FaceBox]) -> list[FaceBox]:
    """Of boxes that overlap, the one with the highest score."""
    kept: list[FaceBox] = []
    for face in sorted(faces, key=score_of, reverse=True):
        if not any(is_same_face(face, other) for other in kept):
            kept.append(face)
    return kept


def is_same_face(a: FaceBox, b: FaceBox) -> bool:
    return overlap(a.box, b.box) > SAME_FACE_IOU


def best_match(found: Iterable[FaceBox], face: FaceBox) -> FaceBox | None:
    """Of the boxes found, the surest one that is the same face."""
    same = (other for other in found if is_same_face(other, face))
    return max(same, key=score_of, default=None)


def around(image: Image, box: Box, margin: float) -> tuple[Image, int, int]:
    """The part of an image around a square box, and its left and top in px.

    `margin`: in sides of the box. Beyond the border there is nothing: the part may be empty.
    """
    x, y, side, _ = box
    left, top = max(0, int(x - margin * side)), max(0, int(y - margin * side))
    right, bottom = int(x + side + margin * side), int(y + side + margin * side)
    return image[top : max(top, bottom), left : max(left, right)], left, top


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
