"""The face network's training: batches of augmented FER2013 images and their soft targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.common.cards import FACE_CROP, FACE_FAILURES, FACE_LICENCE
from training.face import augment as face_augment
from training.face import data as face_data
from training.face import heads as face_heads
from training.face.votes import label_targets

# The mean and deviation of FER2013's Training pixels in 0..255; the card tells the device.
MEAN, STD = 129.5, 65.0
SMOOTHING = 0.05
# How much of the label's target is what the raters' votes make of it.
VOTED_SHARE = 0.2
# How much of the targets is the teachers' answer, where there are teachers.
TAUGHT_SHARE = 0.5
# Beta(0.2, 0.2): mostly one face with a little of another (Zhang et al. 2018).
MIXUP = 0.2
PROTOCOL = (
    "Trained on FER2013 Training without the rows that are pixel-identical to a test image; "
    "everything chosen on PublicTest, the raters' default share as the least that meets 82 % of "
    "their majority and 80 % of the faces that they call neutral; PrivateTest (all 3,589) measured "
    "once, on this file."
)


def normalise(images: Tensor) -> Tensor:
    """(n, 1, 48, 48) in 0..255 to about zero mean and unit deviation."""
    return (images.float() - MEAN) / STD


@torch.no_grad()
def scores_of(network: nn.Module, images: Tensor) -> Tensor:
    """Both heads' scores (n, 14) of images (n, 1, 48, 48) in 0..255; each seven sum to 1."""
    device = next(network.parameters()).device
    parts = [network.eval()(normalise(part).to(device)).cpu() for part in images.split(512)]
    logits = torch.cat(parts).float().view(len(images), 2, -1)
    return logits.softmax(2).view(len(images), -1)


class FaceTask:
    """What `training.train` needs to know of faces: their batches and their validation.

    The network answers twice: the FER2013 label, and the FER+ raters' votes.
    """

    classes = len(face_data.LABELS)

    def __init__(self, data: Path) -> None:
        training = face_data.load(data, face_data.TRAINING)
        public = face_data.load(data, face_data.PUBLIC)
        self.images = torch.from_numpy(training.images)[:, None]
        labels = label_targets(training, SMOOTHING, VOTED_SHARE)
        both = labels, face_data.voted_scores(training.votes)
        self.targets = torch.from_numpy(np.concatenate(both, 1))
        self.has_votes = bool((training.votes > 0).any())
        self.shares = np.bincount(training.labels) / len(training)
        self.public = torch.from_numpy(public.images)[:, None]
        self.public_set = public

    def learn_from(self, teachers: list[nn.Module]) -> None:
        """Move the targets by `TAUGHT_SHARE` to the teachers' mean scores.

        They are asked once, for each image as it is and mirrored: what they would say of an
        altered one is worth less than what they say of the original.
        """
        views = [self.images, self.images.flip(3)]
        answers = [scores_of(teacher, view) for teacher in teachers for view in views]
        self.targets = self.targets.lerp(torch.stack(answers).mean(0), TAUGHT_SHARE)

    def answers(self, logits: Tensor) -> Tensor:
        """Both heads' logits (n, 14) to scores (n, 7), for the log."""
        return logits.view(-1, 2, self.classes).log_softmax(2).mean(1)

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        """Only weights decay; biases and the scales of normalisation stay free."""
        weights = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": 5e-4}, {"params": others}]
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)

    def steps(self, batch: int) -> int:
        return len(self.images) // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of (batch, 1, 48, 48) inputs and (batch, 14) targets, augmented and mixed."""
        order = torch.randperm(len(self.images))
        mixing = torch.distributions.Beta(MIXUP, MIXUP)
        for rows in order[: self.steps(batch) * batch].split(batch):
            images = face_augment.augment(self.images[rows].to(device).float() / 255)
            targets, other = self.targets[rows].to(device), torch.randperm(batch)
            share = float(mixing.sample())
            yield (
                normalise(images.lerp(images[other], share) * 255),
                targets.lerp(targets[other], share),
            )

    def validation(self) -> tuple[Tensor, Tensor]:
        """PublicTest: inputs (n, 1, 48, 48) and labels (n,)."""
        return normalise(self.public), torch.from_numpy(self.public_set.labels)

    def released(self, network: nn.Module) -> nn.Module:
        """The network that ships: both heads, the first balanced as PublicTest chooses."""
        with torch.no_grad():
            logits = torch.cat([network.eval()(part) for part in self.validation()[0].split(512)])
        labels = logits[:, : self.classes]
        choice = face_heads.choose(labels, self.public_set.labels, self.shares)
        print(choice)
        return face_heads.released(network, choice.balance, self.shares, self.has_votes)

    def calibration(self, count: int) -> Tensor:
        """`count` Training inputs as they are, for the ranges of int8."""
        rows = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(0))[:count]
        return normalise(self.images[rows])

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "raters": {"temperature": 1.0, "default_share": 0.5} if self.has_votes else None,
            "kind": "face-emotion",
            "labels": face_data.LABELS,
            "input": {"shape": (48, 48, 1), "dtype": "int8", "mean": (MEAN,), "std": (STD,)},
            "crop": FACE_CROP,
            "licence": FACE_LICENCE,
            "known_failures": FACE_FAILURES,
            "protocol": PROTOCOL,
        }
