"""The speech gate's training: is somebody speaking in these two seconds?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.activity.bank import SETTINGS
from training.activity.data import LABELS
from training.common.cards import ACTIVITY_FAILURES, ACTIVITY_LICENCE
from training.voice.task import masked

SMOOTHING = 0.05
SHIFT_FRAMES = 12
# Of the chosen-on speech so much may be refused: the bar for people's speech.
REFUSED_SHARE = 0.015
OTHER, SPEECH = range(2)
PROTOCOL = (
    "Trained on RAVDESS actors 1-16, half of the speakers of seven further corpora, spoken words "
    "and sentences of Debian packages, made sounds and music of Debian packages; the threshold "
    "chosen on actors 17-20, a quarter of those corpora's speakers and other packages; measured on "
    "actors 21-24, the last quarter, two corpora of which nobody was trained on (savee, urdu), and "
    "on words and music in neither: what a package says in one language, or plays, is in one part "
    "only."
)


class ActivityTask:
    """What `training.train` needs to know of the gate: its batches and its validation."""

    classes = len(LABELS)

    def __init__(self, bank: Path) -> None:
        """`bank`: of `training.activity.bank`."""
        arrays = np.load(bank)
        self.windows, labels = arrays["fit_features"], arrays["fit_labels"]
        hard = functional.one_hot(torch.from_numpy(labels)).float()
        self.targets = hard * (1 - SMOOTHING) + SMOOTHING / self.classes
        plain = self.windows[:, 0].astype(np.float32)
        self.mean, self.std = plain.mean((0, 1)), plain.std((0, 1))
        self.chosen_on = self.normalise(arrays["choose_features"][:, 0])
        self.chosen_labels = torch.from_numpy(arrays["choose_labels"])

    def normalise(self, x: NDArray[np.float16]) -> Tensor:
        """Features to network input: (n, values, 1, frames)."""
        scaled = (x.astype(np.float32) - self.mean) / self.std
        return torch.from_numpy(scaled).permute(0, 2, 1)[:, :, None]

    def answers(self, logits: Tensor) -> Tensor:
        return logits

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)

    def steps(self, batch: int) -> int:
        return len(self.windows) // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of inputs and (batch, labels) targets: a variant of each window, masked."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        order = random.permutation(len(self.windows))
        for rows in order[: self.steps(batch) * batch].reshape(-1, batch):
            variants = random.integers(self.windows.shape[1], size=batch)
            inputs = masked(shifted(self.normalise(self.windows[rows, variants]), random), random)
            yield inputs.to(device), self.targets[torch.from_numpy(rows)].to(device)

    def validation(self) -> tuple[Tensor, Tensor]:
        return self.chosen_on, self.chosen_labels

    def released(self, network: nn.Module) -> nn.Module:
        """The network with its threshold moved into the last bias, so that 0.5 decides.

        With this threshold REFUSED_SHARE of the validation speech is refused, and no more.
        """
        with torch.no_grad():
            logits = network.eval()(self.chosen_on)
            sure = (logits[:, SPEECH] - logits[:, OTHER])[self.chosen_labels == SPEECH]
            network.classifier.bias[OTHER] += sure.quantile(REFUSED_SHARE)
        return network

    def calibration(self, count: int) -> Tensor:
        """`count` windows, clean and not, for the ranges of int8."""
        random = np.random.default_rng(0)
        rows = random.choice(len(self.windows), count)
        variants = random.integers(self.windows.shape[1], size=count)
        return self.normalise(self.windows[rows, variants])

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "kind": "speech-activity",
            "labels": LABELS,
            "input": {
                "shape": (1, *self.windows.shape[2:]),
                "dtype": "int8",
                "mean": [round(float(v), 4) for v in self.mean],
                "std": [round(float(v), 4) for v in self.std],
            },
            "features": msgspec.to_builtins(SETTINGS),
            "licence": ACTIVITY_LICENCE,
            "known_failures": ACTIVITY_FAILURES,
            "protocol": PROTOCOL,
        }


def shifted(inputs: Tensor, random: np.random.Generator) -> Tensor:
    """Each row a little earlier or later; what moves out at one end comes in at the other."""
    reach = random.integers(-SHIFT_FRAMES, SHIFT_FRAMES + 1, len(inputs))
    return torch.stack([row.roll(int(by), -1) for row, by in zip(inputs, reach, strict=True)])
