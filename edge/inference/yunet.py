"""YuNet (Wu et al. 2023, doi 10.1007/s11633-023-1423-y) through OpenCV, in one image.

Of 500 PublicTest faces enlarged to 96-240 px and pasted into 640x480 scenes, a quick scan found
90 %, a full one, at four times the cost, 97 %. So a stream gets a full scan now and then, and in
between the known faces are followed in small parts of it.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import ModelError
from edge.inference.face_box import FaceBox, ScanSchedule, around, best_match, distinct, square
from edge.paths import MODELS
from edge.types import Image

YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_PATH = MODELS / YUNET_NAME
FULL_PX, QUICK_PX, NEAR_PX = 640, 320, 160
"""The longer side of what the network gets: of the whole image, or of the part around a face."""
MIN_PX = 64
"""Of a stripe of less than two of the network's strides OpenCV reads uninitialised memory."""
MIN_SCORE, MIN_SCORE_KNOWN = 0.75, 0.4
"""Of a face; less is enough where one was a moment ago."""
DOUBTFUL_SCORE, MIN_MEAN_SCORE = 0.5, 0.72
"""From the first of these on it gets a look from near; both looks' mean has to reach the second.
So more of the small faces are found, and fewer where nobody is (docs/reports/faces.md)."""
SCHEDULE = ScanSchedule(full_s=1.0, full_fraction=0.1, quick_s=0.2, max_followed=3)
MARGIN = 0.5
"""How far around a known face it is looked for, in its sides."""
# Fitted so that eyes and mouth lie as in FER2013: the eyes .374 of the side apart, at .380 of its
# height, the mouth at .759.
UP = 0.080
SIDE = 0.96


def check_weights(path: Path) -> None:
    """Raise ModelError unless `path` contains the very weights that the crop was fitted to."""
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"YuNet's weights {path}: {error.strerror}; deploy/fetch-detector.sh fetches "
            'them, or set face.detector.kind = "haar"'
        ) from error
    if hashlib.sha256(weights).hexdigest() != YUNET_SHA256:
        raise ModelError(
            f"YuNet's weights {path}: not {YUNET_NAME} (its sha256 differs); delete it and run "
            "deploy/fetch-detector.sh"
        )


def from_landmarks(row: NDArray[np.float32], score: float) -> FaceBox:
    """YuNet's (x, y, w, h, right eye, left eye, nose, right mouth, left mouth) to the crop, px."""
    points = row[4:14].reshape(5, 2)
    centre = (points[:2].mean(axis=0) + points[3:].mean(axis=0)) / 2
    height = float(row[3])
    return FaceBox(square(float(centre[0]), float(centre[1]) - UP * height, SIDE * height), score)


class YuNet:
    """The network; a `FaceFinder`."""

    schedule = SCHEDULE
    margin = MARGIN

    def __init__(self, path: Path, min_face: int) -> None:
        """`min_face`: px of the box's side. Raises ModelError."""
        check_weights(path)
        self._min_face = min_face
        self._size: tuple[int, ...] = ()
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (1, 1), MIN_SCORE_KNOWN)
        except cv2.error as error:
            raise ModelError(f"{path}: OpenCV {cv2.__version__} cannot read it") from error
        self.about = f"YuNet at {QUICK_PX} px, every {SCHEDULE.full_s:g} s at {FULL_PX}"

    def find(self, image: Image) -> list[FaceBox]:
        """All faces; one that fills a small picture is best seen in the quick scan."""
        found = self._find_new(image, FULL_PX)
        if any(face.score >= MIN_SCORE for face in found):
            return found
        return distinct([*found, *self._find_new(image, QUICK_PX)])

    def find_quickly(self, image: Image) -> list[FaceBox]:
        return self._find_new(image, QUICK_PX)

    def find_near(self, part: Image, _side_px: float) -> list[FaceBox]:
        return self._find(part, NEAR_PX, MIN_SCORE_KNOWN)

    def _find_new(self, image: Image, longer_px: int) -> list[FaceBox]:
        """Faces of which nothing was known."""
        found = self._find(image, longer_px, DOUBTFUL_SCORE)
        return [face for face in found if self._is_sure(image, face)]

    def _is_sure(self, image: Image, face: FaceBox) -> bool:
        """Whether the score is enough, or it looks like a face from near as well."""
        if face.score >= MIN_SCORE:
            return True
        part, left, top = around(image, face.box, MARGIN)
        near = self._find(part, NEAR_PX, MIN_SCORE_KNOWN) if part.size else []
        same = best_match((other.moved_by(left, top) for other in near), face)
        return same is not None and (face.score + same.score) / 2 >= MIN_MEAN_SCORE

    def _find(self, image: Image, longer_px: int, min_score: float) -> list[FaceBox]:
        """Faces with at least `min_score`; the longer side is scaled to `longer_px`."""
        height, width = image.shape[:2]
        scale = longer_px / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        right, bottom = (max(0, MIN_PX - side) for side in size)
        small = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        if small.shape != self._size:
            self._size = small.shape
            self._network.setInputSize(small.shape[1::-1])
        found = self._network.detect(small)[1]
        if found is None:
            return []
        scored = [from_landmarks(row / scale, float(row[14])) for row in found]
        return [f for f in scored if f.score >= min_score and f.box[2] >= self._min_face]
