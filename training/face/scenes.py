"""Faces enlarged and pasted into 640x480 scenes, to measure the detector and its crop as well."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

WIDTH, HEIGHT = 640, 480
SMALLEST, LARGEST = 96, 240
"""The pasted square's side, px: a face at about 2.5 m to 1 m from a 60 degree camera."""


class Scene(NamedTuple):
    """A picture (480, 640, 3) uint8 BGR, and where the face was pasted: square (x, y, w, h), px."""

    image: Image
    box: tuple[int, int, int, int]


def backdrop(random: np.random.Generator) -> Image:
    """Soft coloured patches with sensor noise: nothing that could be taken for a face."""
    patches = random.integers(40, 216, (6, 8, 3), dtype=np.uint8)
    soft = cv2.resize(patches, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noisy = soft.astype(np.float32) + random.normal(0, 3, soft.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def scene(face: Image, random: np.random.Generator) -> Scene:
    """`face` (48, 48) uint8, enlarged and pasted wherever it fits."""
    side = int(random.integers(SMALLEST, LARGEST + 1))
    x = int(random.integers(0, WIDTH - side + 1))
    y = int(random.integers(0, HEIGHT - side + 1))
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    image = backdrop(random)
    image[y : y + side, x : x + side] = large[:, :, np.newaxis]
    return Scene(image, (x, y, side, side))
