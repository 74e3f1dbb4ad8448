"""Viola and Jones 2001, OpenCV's cascades: slow on a whole image, quick around a face."""

import math
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from edge.inference.face_box import FaceBox, ScanSchedule, distinct, square
from edge.types import Image

Cascade = Literal["alt2", "default"]

HAAR_SIDE = 0.99
"""Fitted like YuNet's crop: so that eyes and mouth lie as in FER2013."""
CASCADE_FOLDER = Path(cv2.__file__).parent / "data"
CASCADES = {
    "alt2": "haarcascade_frontalface_alt2.xml",
    "default": "haarcascade_frontalface_default.xml",
}
SCALE_STEP = 1.1
NEIGHBOURS, NEIGHBOURS_KNOWN = 5, 3
"""So many overlapping hits make a face; fewer are enough where one was a moment ago."""
SCHEDULE = ScanSchedule(full_s=0.2, full_fraction=0.5)
MARGIN = 0.3
"""How far around a known face it is looked for, in its sides."""
MAX_PIXELS = 2_100_000
"""1920x1080: a cascade needs some 50 bytes a pixel."""
SIZE_CHANGE = 1.2
"""A known face grows or shrinks by less than this from frame to frame."""


def _grey(image: Image) -> tuple[Image, float]:
    """Grey, of at most MAX_PIXELS; and its scale."""
    scale = min(1.0, math.sqrt(MAX_PIXELS / (image.shape[0] * image.shape[1])))
    if scale < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8), scale


class Haar:
    """One of the cascades; a `FaceFinder`."""

    schedule = SCHEDULE
    margin = MARGIN

    def __init__(self, cascade: Cascade, min_face: int, reason: str = "") -> None:
        """`min_face`: px of the box's side. `reason`: why it is used; shown in `about`."""
        self._cascade = cv2.CascadeClassifier(str(CASCADE_FOLDER / CASCADES[cascade]))
        self._min_face = min_face
        self.about = f"Haar {cascade} ({reason})" if reason else f"Haar {cascade}"

    def find(self, image: Image) -> list[FaceBox]:
        return distinct(self._scan(image, 0, 0, NEIGHBOURS))

    def find_quickly(self, _image: Image) -> list[FaceBox]:
        """None: a cascade has no cheaper scan."""
        return []

    def find_near(self, part: Image, side_px: float) -> list[FaceBox]:
        min_px, max_px = int(side_px / SIZE_CHANGE), int(side_px * SIZE_CHANGE) + 1
        return self._scan(part, min_px, max_px, NEIGHBOURS_KNOWN)

    def _scan(self, image: Image, min_px: int, max_px: int, neighbours: int) -> list[FaceBox]:
        """Faces from `min_px` to `max_px` (0 = any) that are large enough."""
        min_px = max(min_px, int(self._min_face / HAAR_SIDE / SCALE_STEP))
        if min(image.shape[:2]) < min_px:
            return []
        grey, scale = _grey(image)
        boxes, counts = self._cascade.detectMultiScale2(
            grey,
            scaleFactor=SCALE_STEP,
            minNeighbors=neighbours,
            minSize=(int(min_px * scale),) * 2,
            maxSize=(int(max_px * scale),) * 2,
        )
        faces = (
            FaceBox(
                square((x + w / 2) / scale, (y + h / 2) / scale, HAAR_SIDE * w / scale),
                count / (count + NEIGHBOURS),
            )
            for (x, y, w, h), count in zip(boxes, counts, strict=True)
        )
        return [face for face in faces if face.box[2] >= self._min_face]
