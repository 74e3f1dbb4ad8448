"""FER2013 with FER+ votes: from the prepared .npz to arrays, and to soft targets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
TRAINING, PUBLIC, PRIVATE = 0, 1, 2
FERPLUS_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger",
    "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
# FER+'s names for our labels, in the order of LABELS; contempt, unknown and NF have no label here.
VOTED = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
VOTED_COLUMNS = [FERPLUS_COLUMNS.index(name) for name in VOTED]


@dataclass(frozen=True)
class FaceSet:
    """Faces of one split: images (n, 48, 48) uint8, labels (n,), votes (n, 10), leaked (n,) bool.

    leaked: a pixel-identical image is in Training (always False in Training itself).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    leaked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


def load(path: Path, usage: int) -> FaceSet:
    """One split of the .npz that `training.prepare face` writes; Training without leaked rows."""
    with np.load(path) as data:
        fields = {k: data[k] for k in ("images", "labels", "usage", "ferplus_votes", "dup_group")}
    group, split = fields["dup_group"], fields["usage"]
    grouped = group >= 0
    in_training = grouped & np.isin(group, group[grouped & (split == TRAINING)])
    in_tests = grouped & np.isin(group, group[grouped & (split != TRAINING)])
    rows = split == usage
    if usage == TRAINING:
        rows &= ~in_tests
    return FaceSet(
        fields["images"][rows],
        fields["labels"][rows].astype(np.int64),
        fields["ferplus_votes"][rows].astype(np.int64),
        in_training[rows] & (usage != TRAINING),
    )


def voted_scores(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """FER+ votes (n, 10) as shares of the seven labels (n, 7); rows of 0 where there are none."""
    counts = votes[:, VOTED_COLUMNS].clip(min=0).astype(np.float32)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def majority(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The label most raters chose (n,); -1 where it is none of the seven or a tie."""
    best = votes.max(1, keepdims=True)
    alone = (votes == best).sum(1) == 1
    winner = votes.argmax(1)
    labels = np.full(len(FERPLUS_COLUMNS), -1)
    labels[VOTED_COLUMNS] = np.arange(len(VOTED))
    return np.where(alone & (best[:, 0] > 0), labels[winner], -1)
