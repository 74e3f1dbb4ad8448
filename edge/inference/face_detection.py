"""Faces in a picture, as the square crops that the emotion network was trained on.

numpy in, numpy out. Two detectors with one face: YuNet where its weights are, Haar elsewhere.
Knows no message, no device and nothing of which face is whose.
"""

from pathlib import Path
from typing import Literal, Protocol

from edge.inference.face_box import FaceBox
from edge.inference.haar import Cascade, Haar
from edge.inference.yunet import YUNET_PATH, YuNet
from edge.types import Image

Kind = Literal["auto", "yunet", "haar"]


class Detector(Protocol):
    """What finds faces."""

    about: str
    """What it is, and why where that is not what was hoped for."""

    def detect(self, image: Image) -> list[FaceBox]:
        """All faces in the next picture of a stream: (height, width, 3) uint8 BGR."""

    def detect_all(self, image: Image) -> list[FaceBox]:
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
