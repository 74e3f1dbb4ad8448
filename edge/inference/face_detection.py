"""Faces in a picture, as the square crops that the emotion network was trained on.

numpy in, numpy out. Two detectors with one face: YuNet where its weights are, Haar elsewhere.
Knows no message, no device and nothing of which face is whose.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import ModelError

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]
Clock = Callable[[], float]
Kind = Literal["auto", "yunet", "haar"]
Cascade = Literal["alt2", "default"]

YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_PATH = Path(__file__).resolve().parents[2] / "models_tflite" / YUNET_NAME
YUNET_WIDTH_PX = 320
YUNET_HIGHEST_PX = 640
"""A picture that is higher than wide is scaled to fit this, too."""
YUNET_SCORE = 0.7
# Fitted so that eyes and mouth lie as in FER2013: the eyes .374 of the side apart, at .380 of its
# height, the mouth at .759.
YUNET_UP = 0.080
YUNET_SIDE = 0.96
HAAR_SIDE = 0.99

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
SAME_FACE_IOU = 0.3

cv2.setNumThreads(1)


class Face(NamedTuple):
    """A face in a picture."""

    box: Box
    """The crop for the network, a square (x, y, w, h) in px; may reach beyond the picture."""
    score: float
    """0 to 1: how sure the detector is, by its own measure."""


class Detector(Protocol):
    """What finds faces."""

    about: str
    """What it is, and why where that is not what was hoped for."""

    def detect(self, image: Image) -> list[Face]:
        """All faces in the next picture of a stream: (height, width, 3) uint8 BGR."""

    def detect_all(self, image: Image) -> list[Face]:
        """All faces in a picture that has nothing to do with others."""


def make_detector(kind: Kind, model: str, cascade: Cascade, min_face: int) -> Detector:
    """YuNet or Haar; "auto" is YuNet where its weights are.

    `model`: path of YuNet's weights, "" = where set-up puts them. `min_face`: px of the crop's
    side; smaller faces are passed over. Raises ModelError for weights that are missing although
    they were asked for, or are not the ones that the crop was fitted to.
    """
    path = Path(model) if model else YUNET_PATH
    if kind == "haar":
        return Haar(cascade, min_face)
    if kind == "auto" and not model and not path.exists():
        return Haar(cascade, min_face, "YuNet's weights are not there: deploy/fetch-detector.sh")
    return YuNet(path, min_face)


class YuNet:
    """Wu et al. 2023 (doi 10.1007/s11633-023-1423-y) through OpenCV, on pictures 320 px wide."""

    def __init__(self, path: Path, min_face: int) -> None:
        _check_weights(path)
        self._min_face = min_face
        self._size = (YUNET_WIDTH_PX, YUNET_WIDTH_PX)
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", self._size, YUNET_SCORE)
        except cv2.error as error:
            raise ModelError(f"{path}: OpenCV {cv2.__version__} cannot read it") from error
        self.about = f"YuNet at {YUNET_WIDTH_PX} px"

    def detect(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        scale = min(YUNET_WIDTH_PX / width, YUNET_HIGHEST_PX / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != self._size:
            self._size = size
            self._network.setInputSize(size)
        found = self._network.detect(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))[1]
        if found is None:
            return []
        faces = [_from_landmarks(row / scale, float(row[14])) for row in found]
        # In a picture that is a mere stripe the network finds faces of infinite size.
        return [face for face in faces if self._min_face <= face.box[2] < 2 * max(width, height)]

    detect_all = detect


def _check_weights(path: Path) -> None:
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


def _from_landmarks(row: NDArray[np.float32], score: float) -> Face:
    """YuNet's (x, y, w, h, right eye, left eye, nose, right mouth, left mouth) to the crop, px."""
    points = row[4:14].reshape(5, 2)
    centre = (points[:2].mean(axis=0) + points[3:].mean(axis=0)) / 2
    height = float(row[3])
    return Face(
        _square(float(centre[0]), float(centre[1]) - YUNET_UP * height, YUNET_SIDE * height), score
    )


def _square(x: float, y: float, side: float) -> Box:
    """The square with its centre at (x, y)."""
    return x - side / 2, y - side / 2, side, side


class Haar:
    """Viola and Jones 2001, OpenCV's cascades: slow on a whole picture, quick around a face."""

    def __init__(
        self, cascade: Cascade, min_face: int, why: str = "", clock: Clock = time.monotonic
    ) -> None:
        """`why`: said in `about`. `clock`: seconds."""
        self._cascade = cv2.CascadeClassifier(str(CASCADE_FOLDER / CASCADES[cascade]))
        self._min_face = min_face
        self._clock = clock
        self._known: list[Face] = []
        self._shape: tuple[int, ...] = ()
        self._next_scan_s = 0.0
        self.about = f"Haar {cascade} ({why})" if why else f"Haar {cascade}"

    def detect(self, image: Image) -> list[Face]:
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
        return _distinct([new for _, new in found if new is not None])

    def detect_all(self, image: Image) -> list[Face]:
        return _distinct(self._scan(_gray(image), self._min_face, 0, NEIGHBOURS))

    def _near(self, gray: Image, face: Face) -> Face | None:
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
        return Face((near_x + left, near_y + top, size[0], size[1]), score)

    def _scan(self, gray: Image, smallest: int, largest: int, neighbours: int) -> list[Face]:
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
            Face(_square(x + w / 2, y + h / 2, HAAR_SIDE * w), count / (count + NEIGHBOURS))
            for (x, y, w, h), count in zip(boxes, counts, strict=True)
        ]


def _gray(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _distinct(faces: list[Face]) -> list[Face]:
    """Of boxes that overlap, the surest."""
    kept: list[Face] = []
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
