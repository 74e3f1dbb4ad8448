"""The voice network's training: batches of RAVDESS windows from the bank, and their targets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training import voice_bank, voice_data
from training.cards import VOICE_LICENCE
from training.networks import VOICE_NETWORKS
from training.voice_bank import CLEAN, SETTINGS

SMOOTHING = 0.1
# Beta(0.3, 0.3): mostly one clip with a little of another (Zhang et al. 2018).
MIXUP = 0.3
# SpecAugment's time masks (Park et al. 2019): two a clip, up to 0.3 s each.
MASKS, MASK_FRAMES = 2, 30
SHIFT_FRAMES = 12
PROTOCOL = (
    "Trained on RAVDESS actors 1-16; everything chosen on actors 17-20; actors 21-24 measured "
    "once, on this file. One 2 s window a clip. 'loudest': the two seconds with the most energy. "
    "'pressed': from 0.3 s before the speech begins, as after pressing the button."
)


class VoiceTask:
    """What `training.train` needs to know of voices: the network, its batches, its validation."""

    classes = len(voice_data.LABELS)

    def __init__(
        self, data: Path, bank: Path, architecture: str, width: int, fold: int | None = None
    ) -> None:
        """`fold`: hold out this fifth of all actors instead of the actors 17-20."""
        self.architecture, self.width = VOICE_NETWORKS[architecture], width
        index = voice_data.read_index(data)
        trained_on, held_out = voice_data.split(fold, index.actors)
        self.bank = voice_bank.read(bank, len(index.labels))
        self.training = np.flatnonzero(np.isin(index.actors, trained_on))
        self.held_out = np.flatnonzero(np.isin(index.actors, held_out))
        self.labels = torch.from_numpy(index.labels)
        hard = functional.one_hot(self.labels, self.classes).float()
        self.targets = hard * (1 - SMOOTHING) + SMOOTHING / self.classes
        plain = self.bank[self.training, 0].astype(np.float32)
        self.mean, self.std = plain.mean((0, 1)), plain.std((0, 1))

    def heard(self, clips: NDArray[np.int64], variants: NDArray[np.int64]) -> Tensor:
        """Network input (n, values, 1, frames) of these clips of the bank, each in its variant."""
        # Row by row: a fancy index of a mapped file would read it through and through.
        rows = [self.bank[c, v] for c, v in zip(clips, variants, strict=True)]
        scaled = (np.stack(rows).astype(np.float32) - self.mean) / self.std
        return torch.from_numpy(scaled).permute(0, 2, 1)[:, :, None]

    def network(self) -> nn.Module:
        values = 2 * SETTINGS.coefficients
        network = self.architecture(self.classes, values, self.width)
        network.begin(torch.from_numpy(self.mean), torch.from_numpy(self.std))
        return network

    def answers(self, logits: Tensor) -> Tensor:
        return logits

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)

    def steps(self, batch: int) -> int:
        return len(self.training) // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of inputs and (batch, labels) targets: a window a clip, masked and mixed."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        order = random.permutation(self.training)
        for clips in order[: self.steps(batch) * batch].reshape(-1, batch):
            variants = random.integers(self.bank.shape[1], size=batch)
            inputs = masked(shifted(self.heard(clips, variants), random), random)
            targets = self.targets[torch.from_numpy(clips)]
            share, other = random.beta(MIXUP, MIXUP), torch.from_numpy(random.permutation(batch))
            yield (
                (share * inputs + (1 - share) * inputs[other]).to(device),
                (share * targets + (1 - share) * targets[other]).to(device),
            )

    def validation(self) -> tuple[Tensor, Tensor]:
        """The held-out actors' clean windows, inputs and labels (n,): what is measured."""
        return self.windows_of(self.held_out, range(len(CLEAN)))

    def windows_of(
        self, clips: NDArray[np.int64], variants: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels of all these clips in each of these variants of the bank."""
        each, which = np.tile(clips, len(variants)), np.repeat(variants, len(clips))
        return self.heard(each, which), self.labels[torch.from_numpy(each)]

    def calibration(self, count: int) -> Tensor:
        """`count` Training windows, clean and not, for the ranges of int8."""
        random = np.random.default_rng(0)
        clips = random.choice(self.training, count)
        return self.heard(clips, random.integers(self.bank.shape[1], size=count))

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "kind": "speech-emotion",
            "labels": voice_data.LABELS,
            "input": {
                "shape": (1, *self.bank.shape[2:]),
                "dtype": "int8",
                "mean": [round(float(v), 4) for v in self.mean],
                "std": [round(float(v), 4) for v in self.std],
            },
            "features": msgspec.to_builtins(SETTINGS),
            "licence": VOICE_LICENCE,
            "protocol": PROTOCOL,
        }


def shifted(inputs: Tensor, random: np.random.Generator) -> Tensor:
    """Each row a little earlier or later; what moves out at one end comes in at the other."""
    reach = random.integers(-SHIFT_FRAMES, SHIFT_FRAMES + 1, len(inputs))
    return torch.stack([row.roll(int(by), -1) for row, by in zip(inputs, reach, strict=True)])


def masked(inputs: Tensor, random: np.random.Generator) -> Tensor:
    """Silence (the mean) over short random stretches of time."""
    for row in inputs:
        for _ in range(MASKS):
            length = random.integers(MASK_FRAMES)
            start = random.integers(row.shape[-1] - length)
            row[..., start : start + length] = 0
    return inputs
