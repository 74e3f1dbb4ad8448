"""Two answers, the FER2013 label and the raters' votes, made one: chosen on PublicTest.

No single answer pleases both: label and raters' majority are the same on two images of three.

With features f, label head (A, a) and votes head (V, v), the released network answers
(1 - m) (A f + a) + m (V f + v) - t log(share of the label in Training): the geometric mean of both
answers by the mix m, moved towards rare labels by the balance t (Menon et al. 2021, logit
adjustment). All of it is linear in f, so it costs the device nothing.
"""

import copy
import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.face import data as face_data

View = Literal["labels", "raters"]
MIXES = np.linspace(0, 1, 11)
BALANCES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Choice:
    """A mix and a balance, and what they give on PublicTest (shares of 1)."""

    mix: float
    balance: float
    accuracy: float
    balanced: float
    agreement: float

    def worth(self, view: View) -> float:
        """What the view counts, twice, and that no label is neglected for it."""
        return 2 * (self.accuracy if view == "labels" else self.agreement) + self.balanced


def combined(heads: Tensor, mix: float, balance: float, shares: NDArray[np.float64]) -> Tensor:
    """Both heads' answers (n, 2, 7) to one (n, 7)."""
    prior = torch.from_numpy(np.log(shares)).to(heads.dtype)
    return (1 - mix) * heads[:, 0] + mix * heads[:, 1] - balance * prior


def judge(
    logits: Tensor,
    faces: face_data.FaceSet,
    mix: float,
    balance: float,
    shares: NDArray[np.float64],
) -> Choice:
    """Both heads' logits (n, 14) on `faces`, combined and measured."""
    answers = combined(logits.view(len(logits), 2, -1), mix, balance, shares).argmax(1).numpy()
    crowd = face_data.majority(faces.votes)
    right = answers == faces.labels
    recalls = [right[faces.labels == label].mean() for label in np.unique(faces.labels)]
    agreement = (answers == crowd)[crowd >= 0].mean() if (crowd >= 0).any() else 0.0
    return Choice(mix, balance, float(right.mean()), float(np.mean(recalls)), float(agreement))


def choose(
    logits: Tensor, faces: face_data.FaceSet, shares: NDArray[np.float64], view: View
) -> Choice:
    """The choice that is worth most, by the labels' or by the raters' view.

    Without votes (a folder from Kaggle has none) the label head answers alone.
    """
    mixes = MIXES if (faces.votes > 0).any() else MIXES[:1]
    grid = itertools.product(map(float, mixes), map(float, BALANCES))
    return max((judge(logits, faces, *pair, shares) for pair in grid), key=lambda c: c.worth(view))


def released(network: nn.Module, choice: Choice, shares: NDArray[np.float64]) -> nn.Module:
    """A copy of the network whose last layer gives the combined answer: (n, 14) becomes (n, 7)."""
    network = copy.deepcopy(network)
    heads = network.classifier
    last = nn.Linear(heads.in_features, heads.out_features // 2)
    with torch.no_grad():
        label, votes = heads.weight.view(2, -1, heads.in_features)
        last.weight.copy_(label.lerp(votes, choice.mix))
        last.bias.copy_(combined(heads.bias.view(1, 2, -1), choice.mix, choice.balance, shares)[0])
    network.classifier = last
    return network
