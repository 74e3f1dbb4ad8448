"""Faces to emotion scores: crops the given boxes out of an image and runs the network.

A network may have two heads: how FER2013's labels name a face, and what ten raters would say of it
(docs/training/face.md, "Two truths"). Knows nothing of where the boxes come from, nor of faces
over time.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.inference.card import Card, ModelError
from edge.inference.interpreter import open_model
from edge.types import Box, Image, Vector


def crop_grey(image: Image, box: Box) -> Image:
    """The box (x, y, w, h in px) as grey levels; beyond the border the edge is repeated.

    Cropping comes before the conversion to grey, so that the cost follows the face, not the image.
    Raises ValueError for a box that is not finite, is empty, or lies outside the image.
    """
    if not np.isfinite(box).all():
        raise ValueError(f"a crop of {box} px: not finite")
    height, width = image.shape[:2]
    left, top = round(box[0]), round(box[1])
    right, bottom = round(box[0] + box[2]), round(box[1] + box[3])
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"a crop of {box} px lies outside of a {width}x{height} image")
    part = image[y0:y1, x0:x1]
    grey = part if part.ndim == 2 else cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    padding = (y0 - top, bottom - y1, x0 - left, right - x1)
    if any(padding):
        grey = cv2.copyMakeBorder(grey, *padding, cv2.BORDER_REPLICATE)
    return np.asarray(grey, np.uint8)


def resize(grey: Image, height: int, width: int) -> Image:
    """To the network's size; averaging when it shrinks, so that nothing aliases."""
    shrinks = grey.shape[0] > height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=method), np.uint8)


def softmax(logits: Vector, temperature: float) -> Vector:
    """softmax(logits / temperature) along the last axis (Guo et al. 2017), the same shape."""
    scaled = np.exp((logits - logits.max(-1, keepdims=True)) / np.float32(temperature))
    return np.asarray(scaled / scaled.sum(-1, keepdims=True), np.float32)


def mixed(card: Card, logits: Vector, raters_share: float) -> Vector:
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

    def classify(self, image: Image, boxes: Sequence[Box]) -> list[Vector]:
        """Scores (n labels,) that sum to 1, for each box (x, y, w, h in px).

        image: (h, w, 3) BGR or (h, w) grey, uint8. A box may reach over the border.
        """
        return [self.scores(self.logits(crop_grey(image, box))) for box in boxes]

    def scores(self, logits: Vector) -> Vector:
        """Logits (..., card.outputs) to scores (..., n labels) that sum to 1."""
        return mixed(self.card, logits, self.raters_share)

    def logits(self, face: Image) -> Vector:
        """The network's output (card.outputs,) for a grey face of any size."""
        height, width, _ = self.card.input.shape
        pixels = resize(face, height, width).astype(np.float32)
        return self._network(self.card.normalise(pixels[:, :, np.newaxis]))
