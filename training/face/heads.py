"""Two heads, the FER2013 label and the raters' votes: what is fitted of them on PublicTest.

No single answer pleases both: label and raters' majority are the same on two images of three. So
the network that ships gives both, and the device mixes them (`edge.inference.face_emotion.mixed`).

The label head is moved towards rare labels by the balance t: its logits less t log(share of the
label in Training) (Menon et al. 2021, logit adjustment). That is a change of its bias.
"""

import copy

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.face import data as face_data

BALANCES = np.linspace(0, 1, 11)
ACCURACY_WEIGHT = 10
"""What accuracy counts beside balanced accuracy where the balance is chosen."""


class Choice(msgspec.Struct, frozen=True):
    """A balance, and what the label head alone gives with it on PublicTest (shares of 1)."""

    balance: float
    accuracy: float
    balanced: float

    @property
    def worth(self) -> float:
        return ACCURACY_WEIGHT * self.accuracy + self.balanced


def judge(
    logits: Tensor, labels: NDArray[np.int64], balance: float, shares: NDArray[np.float64]
) -> Choice:
    """The label head's logits (n, 7), balanced and measured against `labels` (n,)."""
    answers = (logits - balance * torch.from_numpy(np.log(shares))).argmax(1).numpy()
    right = answers == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    return Choice(balance, float(right.mean()), float(np.mean(recalls)))


def choose(logits: Tensor, labels: NDArray[np.int64], shares: NDArray[np.float64]) -> Choice:
    """The balance that is worth most."""
    found = (judge(logits, labels, float(balance), shares) for balance in BALANCES)
    return max(found, key=lambda choice: choice.worth)


def released(
    network: nn.Module, balance: float, shares: NDArray[np.float64], with_raters: bool
) -> nn.Module:
    """A copy of the network (n, 14) with its label head balanced.

    Without `with_raters` it has that head alone, (n, 7): data without votes taught the other none.
    """
    network = copy.deepcopy(network)
    heads = network.classifier
    count = len(face_data.LABELS)
    last = nn.Linear(heads.in_features, heads.out_features if with_raters else count)
    with torch.no_grad():
        last.weight.copy_(heads.weight[: last.out_features])
        last.bias.copy_(heads.bias[: last.out_features])
        last.bias[:count] -= balance * torch.from_numpy(np.log(shares)).to(last.bias.dtype)
    network.classifier = last
    return network
