"""The voice network's training: batches of RAVDESS windows from the bank, and their targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.common.cards import VOICE_FAILURES, VOICE_LICENCE
from training.common.networks import VoiceImageNet
from training.voice import bank as voice_bank
from training.voice import data as voice_data
from training.voice.augment import SHIFT_S
from training.voice.bank import LEAST, SETTINGS, Halves
from training.voice.mel import Microphone

SMOOTHING = 0.1
# Beta(0.3, 0.3): mostly one clip with a little of another (Zhang et al. 2018).
MIXUP = 0.3
# SpecAugment's time masks (Park et al. 2019): two a clip, up to 0.3 s each.
MASKS, MASK_FRAMES = 2, 30
PROTOCOL = (
    "Trained on RAVDESS actors 1-16. The recipe was chosen within actors 1-20; the network, its "
    "temperature and its reliability on actors 17-20; nothing by actors 21-24. One 2 s window a "
    "clip. 'loudest': the two seconds with the most energy. 'pressed': from 0.3 s before the "
    "speech begins, as after pressing the button."
)


class VoiceTask:
    """What `training.train` needs to know of voices: their batches and their validation."""

    classes = len(voice_data.LABELS)

    def __init__(self, data: Path, bank: Path, fold: int | None = None) -> None:
        """`fold`: hold out this fifth of all actors instead of the actors 17-20."""
        index = voice_data.read_index(data)
        trained_on, held_out = voice_data.split(fold, index.actors)
        self.bank = voice_bank.read(bank, len(index.labels))
        self.microphone = Microphone(SETTINGS)
        self.training = np.flatnonzero(np.isin(index.actors, trained_on))
        self.held_out = np.flatnonzero(np.isin(index.actors, held_out))
        self.labels = torch.from_numpy(index.labels)
        hard = functional.one_hot(self.labels, self.classes).float()
        self.targets = hard * (1 - SMOOTHING) + SMOOTHING / self.classes
        plain = self.bank.clean[self.training, 0].astype(np.float32)
        self.mean, self.std = plain.mean((0, 1)), plain.std((0, 1))

    def normalise(self, found: NDArray[np.float32]) -> Tensor:
        """Features (n, frames, values) to network input (n, values, 1, frames)."""
        scaled = (found - self.mean) / self.std
        return torch.from_numpy(scaled).permute(0, 2, 1)[:, :, None]

    def heard(self, clips: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        """Network input of these clips, each in one of its variants and recorded anew."""
        frames = self.bank.clean.shape[2]
        variants = random.integers(self.bank.variants, size=len(clips))
        cut = [
            taken(self.bank.variant(c, v), frames, random)
            for c, v in zip(clips, variants, strict=True)
        ]
        energies = torch.from_numpy(np.exp(np.stack(cut).astype(np.float32)))
        return self.normalise(self.microphone.heard(energies, random).numpy())

    def begin(self, network: nn.Module) -> None:
        """Tell an untrained network the features' statistics, if it begins with them."""
        if isinstance(network, VoiceImageNet):
            network.begin(torch.from_numpy(self.mean), torch.from_numpy(self.std))

    def answers(self, logits: Tensor) -> Tensor:
        return logits

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)

    def steps(self, batch: int) -> int:
        return max(1, len(self.training) // batch)

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of inputs and (batch, labels) targets: a window a clip, masked and mixed."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        order = random.permutation(self.training)
        steps = self.steps(batch)
        for clips in order[: steps * batch].reshape(steps, -1):
            inputs = masked(self.heard(clips, random), random)
            targets = self.targets[torch.from_numpy(clips)]
            share = random.beta(MIXUP, MIXUP)
            other = torch.from_numpy(random.permutation(len(clips)))
            yield (
                (share * inputs + (1 - share) * inputs[other]).to(device),
                (share * targets + (1 - share) * targets[other]).to(device),
            )

    def validation(self) -> tuple[Tensor, Tensor]:
        """The held-out actors' clean windows, inputs and labels (n,): what is measured."""
        windows = self.bank.clean[self.held_out].astype(np.float32)
        labels = self.labels[torch.from_numpy(self.held_out)].repeat_interleave(windows.shape[1])
        return self.normalise(windows.reshape(-1, *windows.shape[2:])), labels

    def calibration(self, count: int) -> Tensor:
        """`count` Training windows, half of them clean, for the ranges of int8."""
        random = np.random.default_rng(0)
        clips = random.choice(self.training, count)
        clean = self.bank.clean[clips[: count // 2], 1].astype(np.float32)
        return torch.cat([self.normalise(clean), self.heard(clips[count // 2 :], random)])

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "kind": "speech-emotion",
            "labels": voice_data.LABELS,
            "input": {
                "shape": (1, *self.bank.clean.shape[2:]),
                "dtype": "int8",
                "mean": [round(float(v), 4) for v in self.mean],
                "std": [round(float(v), 4) for v in self.std],
            },
            "features": msgspec.to_builtins(SETTINGS),
            "licence": VOICE_LICENCE,
            "known_failures": VOICE_FAILURES,
            "protocol": PROTOCOL,
        }


def taken(energies: NDArray[np.float16], frames: int, random: np.random.Generator) -> Halves:
    """`frames` around the loudest part, as a person presses and then speaks; silence follows."""
    loud = np.exp(energies.astype(np.float32)).sum(1)
    sums = np.concatenate([[0], np.cumsum(loud, dtype=np.float64)])
    most = int(np.argmax(sums[frames:] - sums[:-frames])) if len(loud) > frames else 0
    start = most + round(random.uniform(*SHIFT_S) / SETTINGS.hop_s)
    start = min(max(start, 0), max(0, len(loud) - frames))
    part = energies[start : start + frames]
    return np.pad(part, ((0, frames - len(part)), (0, 0)), constant_values=np.log(LEAST))


def masked(inputs: Tensor, random: np.random.Generator) -> Tensor:
    """Silence (the mean) over short random stretches of time."""
    for row in inputs:
        for _ in range(MASKS):
            length = random.integers(MASK_FRAMES)
            start = random.integers(row.shape[-1] - length)
            row[..., start : start + length] = 0
    return inputs
