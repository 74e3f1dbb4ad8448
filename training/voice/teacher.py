"""A frozen encoder's embeddings as a lesson for the student, and how good they are themselves.

The student learns to predict the first principal components of what the encoder's middle layers
tell of a clip. The components are those of the training clips: a corpus that is left out of a
training plays no part in its lesson. `python -m training.voice.teacher` fits a linear head on the
embeddings instead, without one corpus at a time, and prints how right it is there.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.voice import corpora, embeddings
from training.voice.corpora import Clips
from training.voice.corpora_draw import draw_weights, training_clips
from training.voice.corpora_targets import Targets, hard_targets, label_loss, offsets
from training.voice.data import LABELS
from training.voice.left_out_figures import unweighted_average_recall

LAYERS = (1, 2, 3)
"""Of the encoder's outputs, 0 being its stem's: the last layer tells less."""
COMPONENTS = 256
"""Principal components that a linear head reads."""
DIMENSIONS = 64
"""The first of them are what the student learns to predict."""
STEPS = 300
RATE = 0.02
DECAY = 0.02


@dataclass(frozen=True)
class Projection:
    """Embeddings to whitened principal components."""

    mean: Tensor
    axes: Tensor
    """(values, COMPONENTS)"""

    def __call__(self, values: Tensor) -> Tensor:
        return (values - self.mean) @ self.axes


def projection(values: Tensor, weights: Tensor) -> Projection:
    """Of rows (n, values) that count by `weights` (n,) of sum 1."""
    mean = weights @ values
    spread = (weights @ (values - mean).square()).sqrt() + 1e-3
    scaled = (values - mean) / spread
    powers, axes = torch.linalg.eigh((scaled * weights[:, None]).T @ scaled)
    best = axes[:, -COMPONENTS:].flip(1) / powers[-COMPONENTS:].flip(0).sqrt()
    return Projection(mean, best / spread[:, None])


def values_of(clips: Clips, data: Path, folder: Path) -> Tensor:
    """(n * windows, values): what LAYERS tell of each window of each clip, float32."""
    parts = []
    for name in dict.fromkeys(clips.corpora):
        chosen = clips.where(clips.corpora == name)
        everything = corpora.read(data, name) if name in corpora.BY_NAME else chosen
        wanted = set(map(str, chosen.paths))
        rows = [row for row, path in enumerate(everything.paths) if str(path) in wanted]
        found = embeddings.read(folder, name, len(everything))[rows][:, :, list(LAYERS)]
        parts.append(found.astype(np.float32).reshape(len(rows) * embeddings.WINDOWS, -1))
    return torch.from_numpy(np.concatenate(parts))


def per_window(weights: Tensor) -> Tensor:
    """Clips' weights (n,) as their windows', (n * windows,)."""
    return weights.repeat_interleave(embeddings.WINDOWS) / embeddings.WINDOWS


def lesson(clips: Clips, weights: NDArray[np.float64], data: Path, folder: Path) -> Tensor:
    """(n, DIMENSIONS) of mean 0: what the student is to predict of each clip, whatever its window.

    `weights` (n,): how often each clip is drawn. `folder`: of training.voice.embeddings.
    """
    values = values_of(clips, data, folder)
    components = projection(values, per_window(torch.from_numpy(weights).float()))(values)
    return components[:, :DIMENSIONS].unflatten(0, (len(clips), -1)).mean(1)


def fitted_head(
    values: Tensor, targets: Targets, weights: Tensor, decay: float = DECAY
) -> nn.Linear:
    """A linear layer on `values` (n, components) with the least mean loss and weight decay."""
    head = nn.Linear(values.shape[1], len(LABELS))
    nn.init.zeros_(head.weight)
    optimiser = torch.optim.Adam(head.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = label_loss(head(values), targets, weights) + decay * head.weight.square().sum()
        loss.backward()
        optimiser.step()
        schedule.step()
    return head


def left_out_recall(
    clips: Clips, weights: NDArray[np.float64], test: Clips, data: Path, folder: Path
) -> float:
    """The unweighted average recall on `test` of a linear head on the embeddings of `clips`."""
    values, drawn = values_of(clips, data, folder), per_window(torch.from_numpy(weights).float())
    project = projection(values, drawn)
    targets = Targets(hard_targets(clips), offsets(clips), torch.zeros(len(clips), 0))
    rows = torch.arange(len(clips)).repeat_interleave(embeddings.WINDOWS)
    head = fitted_head(project(values), targets.rows(rows), drawn)
    with torch.no_grad():
        windows = head(project(values_of(test, data, folder))).softmax(1)
    scores = corpora.scores_of_seven(windows.unflatten(0, (len(test), -1)).mean(1).numpy())
    return unweighted_average_recall(scores.argmax(1), corpora.as_seven(test.labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--embeddings", type=Path, default=embeddings.DEFAULT)
    parser.add_argument("--corpora", nargs="+", choices=corpora.LEFT_OUT, default=corpora.LEFT_OUT)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    everything = {name: corpora.read(options.data, name) for name in corpora.TRAINING}
    for name in options.corpora:
        others = [clips for other, clips in everything.items() if other != name]
        clips = training_clips(corpora.joined(others))
        found = left_out_recall(
            clips, draw_weights(clips), everything[name], options.data, options.embeddings
        )
        print(f"without {name}: {found:.1%} right on it, mean over its classes", flush=True)


if __name__ == "__main__":
    main()
