"""What a picture looks like, in a few numbers, to see whether another one shows the same."""

import cv2
import numpy as np

from edge.types import Image, Vector

SIDE_PX = 8
STEP_PX = 16
"""Of a frame one px in so many, across and down, is enough to notice a cut."""
MIN_DEVIATION = 4.0
"""Grey levels; with less than this between light and dark there is nothing to compare."""


def appearance(grey: Image) -> Vector:
    """(SIDE_PX**2,) of (h, w) uint8: its mean 0 and its length 1; zeros where all is of one grey.

    The dot product of two is their correlation: 1 for the same picture, however bright.
    """
    small = cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    fields = small.astype(np.float32).ravel()
    fields -= fields.mean()
    length = float(np.linalg.norm(fields))
    if length < MIN_DEVIATION * SIDE_PX:
        return np.zeros_like(fields)
    return np.asarray(fields / length, np.float32)


def scene_appearance(frame: Image) -> Vector:
    """The same of a whole frame, (h, w, 3) BGR, by its green."""
    return appearance(np.ascontiguousarray(frame[::STEP_PX, ::STEP_PX, 1]))
