"""RAVDESS speech: the clips of some actors, as sound and labels. Split by actor, never by clip."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
TRAINING_ACTORS, VALIDATION_ACTORS, TEST_ACTORS = range(1, 17), range(17, 21), range(21, 25)
RATE_HZ = 16_000


@dataclass(frozen=True)
class VoiceSet:
    """Clips of any length, float32 mono at 16 kHz, with labels (n,) and actors (n,)."""

    clips: list[NDArray[np.float32]]
    labels: NDArray[np.int64]
    actors: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clips)


def load(folder: Path, actors: Collection[int]) -> VoiceSet:
    """The clips of `actors` in the folder that `training.prepare voice` writes."""
    with (folder / "index.csv").open(newline="") as file:
        rows = [(r, int(r["actor"].removeprefix("Actor_"))) for r in csv.DictReader(file)]
    rows = [(row, actor) for row, actor in rows if actor in actors]
    clips = [
        soundfile.read(folder / row["actor"] / f"{row['name']}.flac", dtype="float32")[0]
        for row, _ in rows
    ]
    labels = np.array([LABELS.index(row["emotion"]) for row, _ in rows])
    return VoiceSet(clips, labels, np.array([actor for _, actor in rows]))
