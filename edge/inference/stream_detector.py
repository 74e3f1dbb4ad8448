"""Faces in a stream of frames: full scans now and then, known faces followed in between.

The same for both detectors: YuNet where its weights are, Haar elsewhere. Knows no message, no
device and nothing of which face is whose.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from edge.inference.face_box import (
    FaceBox,
    ScanSchedule,
    around,
    best_match,
    distinct,
    is_same_face,
)
from edge.inference.haar import Cascade, Haar
from edge.inference.yunet import YUNET_PATH, YuNet
from edge.types import Image

Kind = Literal["auto", "yunet", "haar"]
HARDLY = 0.1
"""In sides of the box."""


class FaceFinder(Protocol):
    """Finds faces in one image: (height, width, 3) uint8 BGR."""

    about: str
    schedule: ScanSchedule
    margin: float
    """How far around a known face it is looked for, in its sides."""

    def find(self, image: Image, /) -> list[FaceBox]:
        """All faces."""

    def find_quickly(self, image: Image, /) -> list[FaceBox]:
        """The faces that a cheaper scan finds; none where there is no such scan."""

    def find_near(self, part: Image, side_px: float, /) -> list[FaceBox]:
        """Faces in the surroundings of one that had this side a moment ago."""


class StreamDetector:
    """Finds all faces in frames, or in images that have nothing to do with each other."""

    def __init__(self, finder: FaceFinder, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self.about = finder.about
        """What it is, and why where that is not the best one."""
        self._finder = finder
        self._schedule = finder.schedule
        self._clock = clock
        self._known: list[FaceBox] = []
        self._shape: tuple[int, ...] = ()
        self._next_full_s = self._next_quick_s = 0.0

    def detect_all(self, image: Image) -> list[FaceBox]:
        """All faces in a single image: (height, width, 3) uint8 BGR."""
        return self._finder.find(image)

    def detect(self, image: Image) -> list[FaceBox]:
        """All faces in the next frame of a stream: (height, width, 3) uint8 BGR."""
        now_s = self._clock()
        faces = self._follow(image) if image.shape == self._shape else []
        if image.shape != self._shape or now_s >= self._next_full_s:
            faces = as_followed(self._scan_fully(image, now_s), faces)
            self._known = [self._anchored(face) for face in faces]
            return faces
        if not faces or now_s >= self._next_quick_s:
            self._next_quick_s = now_s + self._schedule.quick_s
            faces = distinct([*as_followed(self._finder.find_quickly(image), faces), *faces])
        lost = [old for old in self._known if not any(is_same_face(old, new) for new in faces)]
        self._known = [*(self._anchored(face) for face in faces), *lost]
        return faces

    def _anchored(self, face: FaceBox) -> FaceBox:
        """Where to look for the face next: where it was before, while it has hardly moved.

        A detector sees a face a little elsewhere in a part that is cut out a little elsewhere, and
        would follow its own error about.
        """
        return next((old for old in self._known if has_hardly_moved(old, face)), face)

    def _scan_fully(self, image: Image, now_s: float) -> list[FaceBox]:
        self._shape = image.shape
        found = self._finder.find(image)
        took_s = self._clock() - now_s
        full_s, full_fraction, quick_s, _ = self._schedule
        self._next_full_s = now_s + max(full_s, took_s / full_fraction)
        self._next_quick_s = now_s + quick_s
        return found

    def _follow(self, image: Image) -> list[FaceBox]:
        """The known faces, a moment later; none of them where they are too many to follow."""
        if len(self._known) > self._schedule.max_followed:
            return []
        near = (self._near(image, face) for face in self._known)
        return distinct(face for face in near if face)

    def _near(self, image: Image, face: FaceBox) -> FaceBox | None:
        """The same face, a moment later."""
        part, left, top = around(image, face.box, self._finder.margin)
        found = self._finder.find_near(part, face.box[2]) if part.size else []
        return best_match((near.moved_by(left, top) for near in found), face)


def has_hardly_moved(old: FaceBox, new: FaceBox) -> bool:
    """Whether each edge of a face's box is within HARDLY of where it was."""
    moved = (abs(a - b) for a, b in zip(old.box, new.box, strict=True))
    return max(moved) <= HARDLY * old.box[2]


def as_followed(found: list[FaceBox], followed: list[FaceBox]) -> list[FaceBox]:
    """The faces of a scan, but the box of a followed face where both are of the same one.

    Scans of different sizes place a box differently, and it would jump to and fro between them.
    """
    return [next((one for one in followed if is_same_face(one, face)), face) for face in found]


def make_detector(
    kind: Kind,
    model: str,
    cascade: Cascade,
    min_face: int,
    clock: Callable[[], float] = time.monotonic,
) -> StreamDetector:
    """YuNet or Haar; "auto" is YuNet where its weights are.

    `model`: path of YuNet's weights, "" = where set-up puts them. `min_face`: px of the box's
    side; smaller faces are skipped. Raises ModelError for weights that are missing although they
    were asked for, or are not the ones that the crop was fitted to.
    """
    path = Path(model) if model else YUNET_PATH
    if kind == "haar":
        return StreamDetector(Haar(cascade, min_face), clock)
    if kind == "auto" and not model and not path.exists():
        reason = "YuNet's weights are missing; deploy/fetch-detector.sh fetches them"
        return StreamDetector(Haar(cascade, min_face, reason), clock)
    return StreamDetector(YuNet(path, min_face), clock)
