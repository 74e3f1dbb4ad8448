"""What a detector gives: a face, the square crop around it, and when two crops are one face."""

from typing import NamedTuple

from edge.types import Box

SAME_FACE_IOU = 0.3


class FaceBox(NamedTuple):
    """A face in a picture."""

    box: Box
    """The crop for the network, a square (x, y, w, h) in px; may reach beyond the picture."""
    score: float
    """0 to 1: how sure the detector is, by its own measure."""


def square(x: float, y: float, side: float) -> Box:
    """The square with its centre at (x, y)."""
    return x - side / 2, y - side / 2, side, side


def distinct(faces: list[FaceBox]) -> list[FaceBox]:
    """Of boxes that overlap, the surest."""
    kept: list[FaceBox] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(overlap(face.box, other.box) < SAME_FACE_IOU for other in kept):
            kept.append(face)
    return kept


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
