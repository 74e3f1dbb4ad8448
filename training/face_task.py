"""The face network's training: batches of augmented FER2013 images and their soft targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training import face_augment, face_data
from training.cards import FACE_CROP, FACE_LICENCE
from training.networks import FaceNet

# The mean and deviation of FER2013's Training pixels in 0..255; the card tells the device.
MEAN, STD = 129.5, 65.0
PROTOCOL = (
    "Trained on FER2013 Training without the rows that are pixel-identical to a test image; "
    "everything chosen on PublicTest; PrivateTest (all 3,589) measured once, on this file."
)


def normalise(images: Tensor) -> Tensor:
    """(n, 1, 48, 48) in 0..255 to about zero mean and unit deviation."""
    return (images.float() - MEAN) / STD


class FaceTask:
    """What `training.train` needs to know of faces: the network, its batches and its validation."""

    def __init__(self, data: Path, width: int, ferplus: float, smoothing: float) -> None:
        training = face_data.load(data, face_data.TRAINING)
        public = face_data.load(data, face_data.PUBLIC)
        self.width = width
        self.images = torch.from_numpy(training.images)[:, None]
        self.targets = torch.from_numpy(face_data.targets(training, ferplus, smoothing))
        self.public = torch.from_numpy(public.images)[:, None]
        self.public_labels = torch.from_numpy(public.labels)

    def network(self) -> nn.Module:
        return FaceNet(len(face_data.LABELS), self.width)

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        """Only weights decay; biases and the scales of normalisation stay free."""
        weights = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": 5e-4}, {"params": others}]
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)

    def steps(self, batch: int) -> int:
        return len(self.images) // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of (batch, 1, 48, 48) inputs and (batch, 7) targets, freshly augmented."""
        order = torch.randperm(len(self.images))
        for rows in order[: self.steps(batch) * batch].split(batch):
            images = self.images[rows].to(device).float() / 255
            yield normalise(face_augment.augment(images) * 255), self.targets[rows].to(device)

    def validation(self) -> tuple[Tensor, Tensor]:
        """PublicTest: inputs (n, 1, 48, 48) and labels (n,)."""
        return normalise(self.public), self.public_labels

    def calibration(self, count: int) -> Tensor:
        """`count` Training inputs as they are, for the ranges of int8."""
        rows = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(0))[:count]
        return normalise(self.images[rows])

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "kind": "face-emotion",
            "labels": face_data.LABELS,
            "input": {"shape": (48, 48, 1), "dtype": "int8", "mean": (MEAN,), "std": (STD,)},
            "crop": FACE_CROP,
            "licence": FACE_LICENCE,
            "protocol": PROTOCOL,
        }
