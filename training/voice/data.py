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
ACTORS = range(1, 25)
FOLDS = 5
RATE_HZ = 16_000


@dataclass(frozen=True)
class Index:
    """What the folder holds, clip by clip: paths, labels (n,) and actors (n,)."""

    paths: list[Path]
    labels: NDArray[np.int64]
    actors: NDArray[np.int64]


@dataclass(frozen=True)
class VoiceSet:
    """Clips of any length, float32 mono at 16 kHz, with labels (n,) and actors (n,)."""

    clips: list[NDArray[np.float32]]
    labels: NDArray[np.int64]
    actors: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clips)


def read_index(folder: Path) -> Index:
    """The folder that `training.prepare voice` writes, without its sound."""
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Index(
        [folder / row["actor"] / f"{row['name']}.flac" for row in rows],
        np.array([LABELS.index(row["emotion"]) for row in rows]),
        np.array([int(row["actor"].removeprefix("Actor_")) for row in rows]),
    )


def load(folder: Path, actors: Collection[int] | None = None) -> VoiceSet:
    """The clips of `actors` (of everybody if None), in the order of the index."""
    index = read_index(folder)
    wanted = index.actors if actors is None else list(actors)
    rows = np.flatnonzero(np.isin(index.actors, wanted))
    clips = [soundfile.read(index.paths[row], dtype="float32")[0] for row in rows]
    return VoiceSet(clips, index.labels[rows], index.actors[rows])


def is_ravdess(actors: Collection[int]) -> bool:
    """Whether these are all of RAVDESS's actors, and so have a release and unseen ones."""
    return {int(actor) for actor in actors} == set(ACTORS)


def split(fold: int | None, actors: Collection[int] = ACTORS) -> tuple[list[int], list[int]]:
    """Actors to train on and actors held out: the release's, or a fifth of all held out.

    RAVDESS's odd actors are men and its even ones women, so every fold holds both. Recordings of
    other people than RAVDESS's have no release: their first fold stands for it.
    """
    present = sorted({int(actor) for actor in actors})
    if fold is None and is_ravdess(present):
        return list(TRAINING_ACTORS), list(VALIDATION_ACTORS)
    held_out = [actor for actor in present if (actor - 1) % FOLDS == (fold or 0)]
    return [actor for actor in present if actor not in held_out], held_out
