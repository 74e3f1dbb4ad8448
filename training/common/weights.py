"""What is done to a trained network's weights before it is converted."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn


def mix(network: nn.Module, files: Sequence[Path]) -> None:
    """Make each weight the mean of the network's and the files' (Wortsman et al. 2022).

    `files`: checkpoints of `training.train`, or those that `training.convert` leaves.
    """
    states = [torch.load(path, map_location="cpu", weights_only=True)["average"] for path in files]
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            theirs = [state[name].to(value.dtype) for state in states]
            value.copy_(torch.stack([value, *theirs]).mean(0))


def shift(network: nn.Module, offsets: Sequence[float]) -> None:
    """Add an offset for each label to the bias of the last layer, `network.classifier`."""
    with torch.no_grad():
        network.get_submodule("classifier").bias += torch.tensor(offsets)
