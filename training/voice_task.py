"""The voice network's training: batches of augmented RAVDESS windows and their targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.inference.card import SpeechFeatures
from edge.inference.speech_features import features
from training import voice_augment, voice_data, voice_windows
from training.cards import VOICE_LICENCE
from training.networks import VoiceNet

SETTINGS = SpeechFeatures(
    rate_hz=voice_data.RATE_HZ,
    window_s=2.0,
    frame_s=0.025,
    hop_s=0.010,
    fft_size=512,
    filters=40,
    coefficients=40,
    low_hz=50,
    high_hz=7600,
    preemphasis=0.97,
    lifter=0,
    delta_reach=2,
)
SMOOTHING = 0.1
# Beta(0.3, 0.3): mostly one clip with a little of another (Zhang et al. 2018).
MIXUP = 0.3
# SpecAugment's time masks (Park et al. 2019): two a clip, up to 0.3 s each.
MASKS, MASK_FRAMES = 2, 30
PROTOCOL = (
    "Trained on RAVDESS actors 1-16; everything chosen on actors 17-20; actors 21-24 measured "
    "once, on this file. One 2 s window a clip. 'loudest': the two seconds with the most energy. "
    "'pressed': from 0.3 s before the speech begins, as after pressing the button."
)


class VoiceTask:
    """What `training.train` needs to know of voices: the network, its batches, its validation."""

    classes = len(voice_data.LABELS)

    def __init__(self, data: Path, width: int) -> None:
        self.width = width
        self.training = voice_data.load(data, voice_data.TRAINING_ACTORS)
        held_out = voice_data.load(data, voice_data.VALIDATION_ACTORS)
        hard = functional.one_hot(torch.from_numpy(self.training.labels)).float()
        self.targets = hard * (1 - SMOOTHING) + SMOOTHING / len(voice_data.LABELS)
        plain = self.plain(self.training)
        self.mean, self.std = plain.mean((0, 1)), plain.std((0, 1))
        self.plain_training = self.normalise(plain)
        self.plain_held_out = self.normalise(self.plain(held_out))
        self.held_out_labels = torch.from_numpy(held_out.labels)

    def plain(self, voices: voice_data.VoiceSet) -> NDArray[np.float32]:
        """Features of each clip's loudest window, (n, frames, 2 * coefficients)."""
        return np.stack([features(voice_windows.loudest(c), SETTINGS) for c in voices.clips])

    def normalise(self, x: NDArray[np.float32]) -> Tensor:
        """Features to network input: (n, 2 * coefficients, 1, frames)."""
        scaled = (x - self.mean) / self.std
        return torch.from_numpy(scaled).permute(0, 2, 1)[:, :, None].float()

    def network(self) -> nn.Module:
        return VoiceNet(len(voice_data.LABELS), 2 * SETTINGS.coefficients, self.width)

    def answers(self, logits: Tensor) -> Tensor:
        return logits

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)

    def steps(self, batch: int) -> int:
        return len(self.training) // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of inputs and (batch, labels) targets, freshly augmented, masked and mixed."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        order = random.permutation(len(self.training))
        for rows in order[: self.steps(batch) * batch].reshape(-1, batch):
            inputs = self.masked(self.normalise(self.heard(rows, random)), random)
            targets = self.targets[torch.from_numpy(rows)]
            share, other = random.beta(MIXUP, MIXUP), torch.from_numpy(random.permutation(batch))
            yield (
                (share * inputs + (1 - share) * inputs[other]).to(device),
                (share * targets + (1 - share) * targets[other]).to(device),
            )

    def heard(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        samples = SETTINGS.window_samples
        windows = [voice_augment.augment(self.training.clips[r], samples, random) for r in rows]
        return np.stack([features(window, SETTINGS) for window in windows])

    @staticmethod
    def masked(inputs: Tensor, random: np.random.Generator) -> Tensor:
        """Silence (the mean) over short random stretches of time."""
        for row in inputs:
            for _ in range(MASKS):
                length = random.integers(MASK_FRAMES)
                start = random.integers(row.shape[-1] - length)
                row[..., start : start + length] = 0
        return inputs

    def validation(self) -> tuple[Tensor, Tensor]:
        """Actors 17-20, loudest windows: inputs and labels (n,)."""
        return self.plain_held_out, self.held_out_labels

    def calibration(self, count: int) -> Tensor:
        """`count` Training inputs as they are, for the ranges of int8."""
        rows = torch.randperm(len(self.training), generator=torch.Generator().manual_seed(0))
        return self.plain_training[rows[:count]]

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        frames, values = self.plain_training.shape[3], self.plain_training.shape[1]
        return {
            "kind": "speech-emotion",
            "labels": voice_data.LABELS,
            "input": {
                "shape": (1, frames, values),
                "dtype": "int8",
                "mean": [round(float(v), 4) for v in self.mean],
                "std": [round(float(v), 4) for v in self.std],
            },
            "features": msgspec.to_builtins(SETTINGS),
            "licence": VOICE_LICENCE,
            "protocol": PROTOCOL,
        }
