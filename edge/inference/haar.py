"""Viola and Jones 2001, OpenCV's cascades: slow on a whole picture, quick around a face."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from edge.inference.face_box import FaceBox, distinct, square
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
FULL_SCAN_S = 0.2
"""Between scans of the whole picture; the neighbourhood of known faces is searched in between."""
NEIGHBOURHOOD = 0.3
"""How far around a known face is searched, in its sides."""
SIZE_CHANGE = 1.2
"""A known face grows or shrinks by less than this from picture to picture."""

cv2.setNumThreads(1)


class Haar:
    """The cascades, on a stream or on single pictures."""

    def __init__(
        self,
        cascade: Cascade,
        min_face: int,
        why: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`why`: said in `about`. `clock`: seconds."""
        self._cascade = cv2.CascadeClassifier(str(CASCADE_FOLDER / CASCADES[cascade]))
        self._min_face = min_face
        self._clock = clock
        self._known: list[FaceBox] = []
        self._shape: tuple[int, ...] = ()
        self._next_scan_s = 0.0
        self.about = f"Haar {cascade} ({why})" if why else f"Haar {cascade}"

    def detect(self, image: Image) -> list[FaceBox]:
        started_s = self._clock()
        if image.shape != self._shape or started_s >= self._next_scan_s:
            self._shape = image.shape
            self._known = self.detect_all(image)
            ended_s = self._clock()
            # A slow processor still follows the faces that it knows for half of its time.
            self._next_scan_s = max(started_s + FULL_SCAN_S, 2 * ended_s - started_s)
            return self._known
        gray = _gray(image)
        found = [(face, self._near(gray, face)) for face in self._known]
        self._known = [new or old for old, new in found]
        return distinct([new for _, new in found if new is not None])

    def detect_all(self, image: Image) -> list[FaceBox]:
        return distinct(self._scan(_gray(image), self._min_face, 0, NEIGHBOURS))

    def _near(self, gray: Image, face: FaceBox) -> FaceBox | None:
        """The same face, a moment later."""
        x, y, side, _ = face.box
        margin = side * NEIGHBOURHOOD
        left, top = max(0, int(x - margin)), max(0, int(y - margin))
        part = gray[top : int(y + side + margin), left : int(x + side + margin)]
        smallest = max(self._min_face, int(side / SIZE_CHANGE))
        faces = self._scan(part, smallest, int(side * SIZE_CHANGE) + 1, NEIGHBOURS_KNOWN)
        if not faces:
            return None
        (near_x, near_y, *size), score = max(faces, key=lambda face: face.score)
        return FaceBox((near_x + left, near_y + top, size[0], size[1]), score)

    def _scan(self, gray: Image, smallest: int, largest: int, neighbours: int) -> list[FaceBox]:
        """`gray`: (height, width) uint8. `smallest`, `largest`: px, 0 = any."""
        if min(gray.shape) < smallest:
            return []
        boxes, counts = self._cascade.detectMultiScale2(
            gray,
            scaleFactor=SCALE_STEP,
            minNeighbors=neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return [
            FaceBox(square(x + w / 2, y + h / 2, HAAR_SIDE * w), count / (count + NEIGHBOURS))
            for (x, y, w, h), count in zip(boxes, counts, strict=True)
        ]


def _gray(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
