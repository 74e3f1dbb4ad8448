"""Wu et al. 2023 (doi 10.1007/s11633-023-1423-y) through OpenCV: fine, coarse, or around a face.

Of 500 PublicTest faces enlarged to 96-240 px and pasted into 640x480 scenes, a coarse look found
90 %, a fine one, at four times the cost, 97 %. So a stream is looked at finely now and then, and in
between the known faces are followed in small parts of it.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import ModelError
from edge.inference.face_box import SAME_FACE_IOU, FaceBox, distinct, overlap, square
from edge.paths import MODELS
from edge.types import Image

YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_PATH = MODELS / YUNET_NAME
FINE_PX, COARSE_PX, NEAR_PX = 640, 320, 160
"""The longer side of what the network gets: of the whole picture, or of what is around a face."""
MIN_PX = 64
"""Of a stripe of less than two of the network's strides OpenCV reads memory that nobody wrote."""
SCORE, SCORE_KNOWN = 0.6, 0.4
"""So sure the network must be of a face; less is enough where one was a moment ago."""
FINE_S, COARSE_S = 1.0, 0.2
"""Between fine looks, and between coarse ones while faces are known (without any: always)."""
FINE_SHARE = 0.1
"""Of the time; a slow processor looks finely less often."""
MAX_FOLLOWED = 3
"""More faces than these cost less in one coarse look."""
NEIGHBOURHOOD = 0.5
"""How far around a known face is searched, in its sides."""
# Fitted so that eyes and mouth lie as in FER2013: the eyes .374 of the side apart, at .380 of its
# height, the mouth at .759.
UP = 0.080
SIDE = 0.96

cv2.setNumThreads(1)


def check_weights(path: Path) -> None:
    """Raise ModelError unless `path` holds the very weights that the crop was fitted to."""
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
    """The network, on a stream or on single pictures."""

    def __init__(
        self, path: Path, min_face: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`min_face`: px. `clock`: seconds. Raises ModelError."""
        check_weights(path)
        self._min_face = min_face
        self._clock = clock
        self._size: tuple[int, ...] = ()
        self._known: list[FaceBox] = []
        self._shape: tuple[int, ...] = ()
        self._next_fine_s = self._next_coarse_s = 0.0
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (1, 1), SCORE_KNOWN)
        except cv2.error as error:
            raise ModelError(f"{path}: OpenCV {cv2.__version__} cannot read it") from error
        self.about = f"YuNet at {COARSE_PX} px, every {FINE_S:g} s at {FINE_PX}"

    def detect(self, image: Image) -> list[FaceBox]:
        started_s = self._clock()
        if image.shape != self._shape or started_s >= self._next_fine_s:
            self._shape = image.shape
            self._known = faces = self.detect_all(image)
            took_s = self._clock() - started_s
            self._next_fine_s = started_s + max(FINE_S, took_s / FINE_SHARE)
            self._next_coarse_s = started_s + COARSE_S
            return faces
        faces = self._follow(image)
        if not faces or started_s >= self._next_coarse_s:
            self._next_coarse_s = started_s + COARSE_S
            faces = distinct([*faces, *self._reload_keys(image, COARSE_PX, SCORE)])
        lost = [face for face in self._known if not matches(face, faces)]
        self._known = [*faces, *lost]
        return faces

    def detect_all(self, image: Image) -> list[FaceBox]:
        return self._reload_keys(image, FINE_PX, SCORE)

    def _follow(self, image: Image) -> list[FaceBox]:
        """The known faces, a moment later; none of them where they are too many to follow."""
        if len(self._known) > MAX_FOLLOWED:
            self._next_coarse_s = 0.0
            return []
        return distinct([near for face in self._known for near in self._near(image, face)])

    def _near(self, image: Image, face: FaceBox) -> list[FaceBox]:
        """The same face, a moment later, or nothing."""
        x, y, side, _ = face.box
        margin = side * NEIGHBOURHOOD
        left, top = max(0, int(x - margin)), max(0, int(y - margin))
        part = image[top : int(y + side + margin), left : int(x + side + margin)]
        found = self._reload_keys(part, NEAR_PX, SCORE_KNOWN) if part.size else []
        moved = [FaceBox(shifted(near, left, top), near.score) for near in found]
        same = [near for near in moved if overlap(near.box, face.box) > SAME_FACE_IOU]
        return sorted(same, key=lambda near: -near.score)[:1]

    def _reload_keys(self, image: Image, longer_px: int, least: float) -> list[FaceBox]:
        """Faces of at least the score `least`; the longer side is scaled to `longer_px`."""
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
        faces = [from_landmarks(row / scale, float(row[14])) for row in found if row[14] >= least]
        return [face for face in faces if self._min_face <= face.box[2]]


def shifted(face: FaceBox, x: int, y: int) -> tuple[float, float, float, float]:
    return face.box[0] + x, face.box[1] + y, face.box[2], face.box[3]


def matches(face: FaceBox, others: list[FaceBox]) -> bool:
    return any(overlap(face.box, other.box) > SAME_FACE_IOU for other in others)
