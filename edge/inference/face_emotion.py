"""Faces to emotion scores: cuts the given crops out of an image and asks the network.

A network may have two heads: how FER2013's labels name a face, and what ten raters would say of it
(docs/training/face.md, "Two truths"). Knows nothing of where the crops come from, nor of faces
over time.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import Card, ModelError
from edge.inference.interpreter import open_model
from edge.types import Image


def cut(image: Image, crop: tuple[float, float, float, float]) -> Image:
    """The crop (x, y, w, h in px) as grey levels; beyond the border the edge is repeated.

    Cutting comes before the conversion to grey, so that the cost follows the face, not the image.
    Raises ValueError for a crop that is not finite, is empty, or lies outside the image.
    """
    if not np.isfinite(crop).all():
        raise ValueError(f"a crop of {crop} px: not finite")
    height, width = image.shape[:2]
    left, top = round(crop[0]), round(crop[1])
    right, bottom = round(crop[0] + crop[2]), round(crop[1] + crop[3])
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"a crop of {crop} px holds nothing of a {width}x{height} image")
    part = image[y0:y1, x0:x1]
    grey = part if part.ndim == 2 else cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    beyond = (y0 - top, bottom - y1, x0 - left, right - x1)
    if any(beyond):
        grey = cv2.copyMakeBorder(grey, *beyond, cv2.BORDER_REPLICATE)
    return np.asarray(grey, np.uint8)


def resize(grey: Image, height: int, width: int) -> Image:
    """To the network's size; averaging when it shrinks, so that nothing aliases."""
    shrinks = grey.shape[0] > height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=method), np.uint8)


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """softmax(logits / temperature) along the last axis (Guo et al. 2017), the same shape."""
    scaled = np.exp((logits - logits.max(-1, keepdims=True)) / np.float32(temperature))
    return np.asarray(scaled / scaled.sum(-1, keepdims=True), np.float32)


def mixed(card: Card, logits: NDArray[np.float32], raters_share: float) -> NDArray[np.float32]:
    """Logits (..., card.outputs) to scores (..., n labels) that sum to 1.

    The weighted mean of both heads' probabilities, `raters_share` (0..1) of it the raters'.
    A network with one head has nothing to mix.
    """
    count = len(card.labels)
    labels = softmax(logits[..., :count], card.temperature)
    if card.raters is None:
        return labels
    raters = softmax(logits[..., count:], card.raters.temperature)
    share = np.float32(raters_share)
    return np.asarray((1 - share) * labels + share * raters, np.float32)


def raters_share_of(card: Card, wanted: float | None, model: Path) -> float:
    """The share to mix with: `wanted` (0..1), or the card's default for None.

    Raises ModelError where one is wanted of a network that has no head for the raters.
    """
    if card.raters is None:
        if wanted is not None:
            raise ModelError(f"{model}: has no raters' head; remove raters_share from [face]")
        return 0.0
    return card.raters.default_share if wanted is None else wanted


class FaceEmotion:
    """A face-emotion network. Raises ModelError if the model or its card is unusable."""

    def __init__(self, model: Path, threads: int = 1, raters_share: float | None = None) -> None:
        """`raters_share`: 0 = as FER2013's labels, 1 = as most raters, None = the card's."""
        self.card, self._network = open_model(model, "face-emotion", threads)
        self.raters_share = raters_share_of(self.card, raters_share, model)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each score is of, in order."""
        return self.card.labels

    def classify(
        self, image: Image, crops: Sequence[tuple[float, float, float, float]]
    ) -> list[NDArray[np.float32]]:
        """Scores (n labels,) that sum to 1, for each crop (x, y, w, h in px).

        image: (h, w, 3) BGR or (h, w) grey, uint8. A crop may reach over the border.
        """
        return [self.scores(self.logits(cut(image, crop))) for crop in crops]

    def scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (..., card.outputs) to scores (..., n labels) that sum to 1."""
        return mixed(self.card, logits, self.raters_share)

    def logits(self, face: Image) -> NDArray[np.float32]:
        """The network's answer (card.outputs,) to one grey face of any size."""
        height, width, _ = self.card.input.shape
        pixels = resize(face, height, width).astype(np.float32)
        return self._network(self.card.normalise(pixels[:, :, np.newaxis]))
