"""What clips of corpora with different sets of labels teach, and the loss of it.

Targets have a column for each of LABELS and one more for "neutral or calm": outside of RAVDESS a
plain delivery is called one or the other, and either answer is right.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.voice.corpora import RAVDESS, Clips
from training.voice.data import LABELS

NEUTRAL, CALM = LABELS.index("neutral"), LABELS.index("calm")
EITHER = len(LABELS)
"""The column of targets that says neutral or calm."""
SMOOTHING = 0.1
ABSENT = 3.0
"""How much a label that a clip's corpus does not have is lowered in training, in logits: a softmax
that is masked in part, so that a clip teaches little but the labels that its corpus has."""


class Targets(NamedTuple):
    """Of n windows."""

    labels: Tensor
    """(n, LABELS + 1), rows sum to 1"""
    offsets: Tensor
    """(n, LABELS): added to the logits in training, 0 or -ABSENT"""
    embeddings: Tensor
    """(n, dimensions): what the teacher's encoder tells of the clip; (n, 0) without one"""

    def rows(self, chosen: Tensor) -> "Targets":
        return Targets(*(values[chosen] for values in self))


def columns(clips: Clips) -> NDArray[np.int64]:
    """The column of targets that each clip's label means, (n,)."""
    either = (clips.corpora != RAVDESS.name) & np.isin(clips.labels, (NEUTRAL, CALM))
    return np.where(either, EITHER, clips.labels)


def present(clips: Clips) -> NDArray[np.bool_]:
    """(n, LABELS + 1): the columns that each clip's corpus has."""
    used = np.zeros((len(clips), EITHER + 1), bool)
    found = columns(clips)
    for name in np.unique(clips.corpora):
        here = clips.corpora == name
        used[np.ix_(here, np.unique(found[here]))] = True
    return used


def hard_targets(clips: Clips) -> Tensor:
    """(n, LABELS + 1): the label, smoothed over the labels that the corpus has."""
    used = torch.from_numpy(present(clips)).float()
    hard = functional.one_hot(torch.from_numpy(columns(clips)), EITHER + 1).float()
    return hard * (1 - SMOOTHING) + used / used.sum(1, keepdim=True) * SMOOTHING


def offsets(clips: Clips) -> Tensor:
    """(n, LABELS): 0 where the corpus has the label, -ABSENT where it does not."""
    used = present(clips)
    labels = used[:, :EITHER].copy()
    labels[:, [NEUTRAL, CALM]] |= used[:, [EITHER]]
    return torch.from_numpy(np.where(labels, 0.0, -ABSENT)).float()


def settled(logits: Tensor, labels: Tensor) -> Tensor:
    """Targets (n, LABELS): "neutral or calm" goes to each as the network has it now.

    With these the cross entropy has the gradient of the sum's likelihood.
    """
    pair = [NEUTRAL, CALM]
    shares = logits[:, pair].detach().softmax(1)
    found = labels[:, :EITHER].clone()
    found[:, pair] += labels[:, EITHER:] * shares
    return found


def label_loss(logits: Tensor, targets: Targets, weights: Tensor | None = None) -> Tensor:
    """Mean cross entropy of logits (n, LABELS), float32; rows count by `weights` (n,) if given."""
    shifted = logits + targets.offsets
    found = settled(shifted, targets.labels)
    if weights is None:
        return functional.cross_entropy(shifted, found)
    losses = functional.cross_entropy(shifted, found, reduction="none")
    return losses @ weights / weights.sum()
