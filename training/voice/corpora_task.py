"""The voice network's training on all corpora, or on all but one: batches from their banks."""

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.inference.speech_features import features
from training.common.networks import VoiceNet
from training.voice import corpora, corpora_bank, corpora_card, mel_augment
from training.voice import data as voice_data
from training.voice.bank import CLEAN, SETTINGS
from training.voice.corpora import RAVDESS
from training.voice.corpora_draw import draw_weights, training_clips
from training.voice.corpora_targets import Targets, hard_targets, label_loss, offsets
from training.voice.mel import Microphone
from training.voice.task import masked
from training.voice.teacher import lesson

EPOCH_WINDOWS = 5120
EMBEDDING_WEIGHT = 0.5
STATISTICS_CLIPS = 2000
FRAMES = round(SETTINGS.window_s / SETTINGS.hop_s) - 1


class CorporaTask:
    """What `training.train` needs to know of all corpora: their batches and their validation."""

    classes = len(voice_data.LABELS)

    def __init__(
        self,
        data: Path,
        bank: Path,
        left_out: Collection[str] = (),
        embeddings: Path | str | None = None,
        also: Collection[Path | str] = (),
    ) -> None:
        """`left_out`: corpora that are not read. `embeddings`: a folder, if there is a teacher.

        `also`: further folders to train on, as `training.prepare voice` writes them.
        """
        self.data, self.left_out = data, left_out
        parts = {n: corpora.read(data, n) for n in corpora.TRAINING if n not in left_out}
        self.also = [Path(folder) for folder in also]
        parts |= {folder.name: corpora.read_prepared(folder) for folder in self.also}
        self.banks = {n: corpora_bank.read(bank / n, len(part)) for n, part in parts.items()}
        everything = corpora.joined(parts.values())
        self.rows = {str(p): row for part in parts.values() for row, p in enumerate(part.paths)}
        self.clips = training_clips(everything)
        self.weights = draw_weights(self.clips)
        self.microphone = Microphone(SETTINGS)
        self.tune = mel_augment.music(np.random.default_rng(1))
        self.embeddings = None if embeddings is None else Path(embeddings)
        self.reader: nn.Module = nn.Identity()
        values = 2 * SETTINGS.coefficients
        self.mean, self.std = np.zeros(values, np.float32), np.ones(values, np.float32)
        self.mean, self.std = self._statistics()

    @cached_property
    def targets(self) -> Targets:
        """What each clip teaches."""
        taught = torch.zeros(len(self.clips), 0)
        if self.embeddings is not None:
            taught = lesson(self.clips, self.weights, self.data, self.embeddings)
        return Targets(hard_targets(self.clips), offsets(self.clips), taught)

    def _statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and deviation of the plain clips' features, (values,) each."""
        random = np.random.default_rng(0)
        drawn = self.draw(STATISTICS_CLIPS, random)
        plain = self.plain(drawn, random).numpy()[:, :, 0]
        return plain.mean((0, 2)), plain.std((0, 2))

    def draw(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        return random.choice(len(self.clips), count, p=self.weights)

    def energies(
        self, chosen: NDArray[np.int64], random: np.random.Generator, plain: bool
    ) -> Tensor:
        """Powers (n, FRAMES, filters) of a window of each clip, plain or of any variant."""
        found = []
        for clip in chosen:
            bank = self.banks[self.clips.corpora[clip]]
            number = 0 if plain else int(random.integers(bank.variants))
            variant = bank.variant(self.rows[str(self.clips.paths[clip])], number)
            if plain:
                start = mel_augment.loudest_frame(variant, FRAMES)
                found.append(mel_augment.resampled(variant, start, 1.0, FRAMES))
            else:
                found.append(mel_augment.window(variant, FRAMES, random))
        return torch.from_numpy(np.exp(np.stack(found)))

    def normalise(self, found: Tensor) -> Tensor:
        """Features (n, frames, values) to network input (n, values, 1, frames)."""
        return ((found - self.mean) / self.std).permute(0, 2, 1)[:, :, None]

    def plain(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        """Network input of these clips' loudest windows, as they are."""
        energies = self.energies(chosen, random, plain=True)
        levelled = self.microphone.levelled(energies, self.microphone.power(energies), random)
        return self.normalise(self.microphone.features(levelled))

    def altered(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        """Network input of these clips, each recorded anew."""
        energies = self.energies(chosen, random, plain=False)
        energies = mel_augment.with_background(energies, self.tune, random)
        passed = mel_augment.codec(len(chosen), random)
        return self.normalise(self.microphone.heard(energies, random, passed))

    def begin(self, network: nn.Module) -> None:
        """Put a layer beside an untrained network that predicts the encoder's embeddings."""
        dimensions = self.targets.embeddings.shape[1]
        if dimensions and isinstance(network, VoiceNet):
            self.reader = nn.Linear(network.classifier.in_features, dimensions)

    def answers(self, logits: Tensor) -> Tensor:
        return logits

    def optimiser(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        parameters = [*network.parameters(), *self.reader.parameters()]
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.02)

    def steps(self, batch: int) -> int:
        return EPOCH_WINDOWS // batch

    def batches(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Targets]]:
        """One epoch of inputs and targets: masked windows of clips by their weights."""
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        for _ in range(self.steps(batch)):
            chosen = self.draw(batch, random)
            inputs = masked(self.altered(chosen, random), random)
            targets = self.targets.rows(torch.from_numpy(chosen))
            yield inputs.to(device), Targets(*(values.to(device) for values in targets))

    def loss(self, network: nn.Module, inputs: Tensor, targets: Targets) -> Tensor:
        """Of the labels, and of the embeddings if there is a teacher."""
        if not targets.embeddings.shape[1] or not isinstance(network, VoiceNet):
            return label_loss(network(inputs).float(), targets)
        pooled = network.pooled(inputs)
        logits = network.classifier(network.dropout(pooled)).float()
        guessed = self.reader(pooled).float()
        apart = functional.mse_loss(guessed, targets.embeddings)
        return label_loss(logits, targets) + EMBEDDING_WEIGHT * apart

    def validation(self) -> tuple[Tensor, Tensor]:
        """RAVDESS actors 17-20, the measured windows as they are: inputs and labels (n,)."""
        folder = corpora.folder_of(self.data, RAVDESS.name)
        voices = voice_data.load(folder, voice_data.VALIDATION_ACTORS)
        found = np.stack([features(cut(c), SETTINGS) for cut in CLEAN for c in voices.clips])
        labels = torch.from_numpy(np.tile(voices.labels, len(CLEAN)))
        return self.normalise(torch.from_numpy(found)), labels

    def calibration(self, count: int) -> Tensor:
        """`count` training windows, half of them plain, for the ranges of int8."""
        random = np.random.default_rng(0)
        chosen = self.draw(count, random)
        half = count // 2
        return torch.cat([self.plain(chosen[:half], random), self.altered(chosen[half:], random)])

    def card_fields(self) -> dict[str, Any]:
        """What the card says of this task's models, whatever their weights."""
        return {
            "kind": "speech-emotion",
            "labels": voice_data.LABELS,
            "input": {
                "shape": (1, FRAMES, 2 * SETTINGS.coefficients),
                "dtype": "int8",
                "mean": [round(float(v), 4) for v in self.mean],
                "std": [round(float(v), 4) for v in self.std],
            },
            "features": msgspec.to_builtins(SETTINGS),
            "licence": corpora_card.licence([folder.name for folder in self.also]),
            "known_failures": corpora_card.failures(),
            "protocol": corpora_card.protocol(self.left_out, self.embeddings is not None),
        }
