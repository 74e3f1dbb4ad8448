"""RAVDESS and nine further corpora of emotional speech, read alike: who says what, how, where.

A folder of corpora holds one folder each with an `index.csv` of its clips (file, speaker, sex,
language, label). Speakers are named CORPUS/SPEAKER here, so that none occurs in two corpora.
"""

import csv
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from training.voice import data as ravdess
from training.voice.data import LABELS, RATE_HZ

Signal = NDArray[np.float32]
Names = NDArray[np.str_]

DATA = Path("training/data")
SEVEN = tuple(label for label in LABELS if label != "calm")
"""What is scored: calm counts as neutral."""


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus beside its clips."""

    name: str
    title: str
    language: str
    terms: str
    faults: str
    train: bool = True
    """False: it only ever tests."""


RAVDESS = Corpus(
    "ravdess_16k",
    "RAVDESS (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391)",
    "en-US",
    "CC BY-NC-SA 4.0",
    "two sentences, acted in a studio",
)
CORPORA = (
    Corpus("nemo", "nEMO", "pl", "CC BY-NC-SA 4.0", "nine actors are 29 % of all clips"),
    Corpus(
        "ased",
        "ASED v1 (doi 10.1145/3529759)",
        "am",
        "no licence file; asks for citation",
        "level tells the label; pauses are digital silence; most sentences have one emotion",
    ),
    Corpus(
        "spanish_ue",
        "Spanish emotional speech (rcebrian/speech-emotion-recognition)",
        "es",
        "none stated; the project allows the use of code and audio",
        "intentions that nobody rated; that its 16 folders are 16 people is assumed; level tells "
        "the label",
    ),
    Corpus(
        "turev",
        "TurEV-DB",
        "tr",
        "CC BY-NC-ND 4.0",
        "single words of 0.5 to 2 s; 'calm' is the plain delivery; level tells the label",
    ),
    Corpus(
        "emovo",
        "EMOVO (LREC 2014)",
        "it",
        "no licence text; for research",
        "six actors, 14 sentences",
    ),
    Corpus(
        "korean_kaist",
        "Korean emotional speech (KAIST)",
        "ko",
        "CC BY-NC-SA 4.0, research",
        "ten of 15 speakers read emotional text",
    ),
    Corpus(
        "emospeech_in",
        "EmoSpeech (single words on phones)",
        "hi/en-IN",
        "CC BY-NC-SA 4.0",
        "one word in 3 s, noise, clipping, weak labels; 'calm' is the plain delivery; a speaker "
        "'unknown' is many people",
    ),
    Corpus(
        "savee",
        "SAVEE",
        "en-GB",
        "research only",
        "four men; most sentences have one emotion; level tells the label",
        train=False,
    ),
    Corpus(
        "urdu",
        "URDU",
        "ur",
        "research only",
        "speaker and label coincide: all angry clips are of four men; level tells the label",
        train=False,
    ),
)
BY_NAME = {corpus.name: corpus for corpus in (RAVDESS, *CORPORA)}
TRAINING = tuple(corpus.name for corpus in (RAVDESS, *CORPORA) if corpus.train)
LEFT_OUT = tuple(corpus.name for corpus in CORPORA if corpus.train)
"""Each is left out of one training and then tests it."""
TEST_ONLY = tuple(corpus.name for corpus in CORPORA if not corpus.train)


@dataclass(frozen=True)
class Clips:
    """Clips of one corpus or of several, in one order; arrays are (n,)."""

    paths: list[Path]
    labels: NDArray[np.int64]
    """Indices of LABELS, as the corpus has them."""
    speakers: Names
    """CORPUS/SPEAKER"""
    corpora: Names
    sexes: Names
    """f, m, or empty where it is not known."""
    languages: Names

    def __len__(self) -> int:
        return len(self.paths)

    def where(self, chosen: NDArray[np.bool_]) -> "Clips":
        """Those that a mask (n,) chooses."""
        return Clips(
            [path for path, kept in zip(self.paths, chosen, strict=True) if kept],
            self.labels[chosen],
            self.speakers[chosen],
            self.corpora[chosen],
            self.sexes[chosen],
            self.languages[chosen],
        )

    def sounds(self) -> list[Signal]:
        """The clips' samples, float32 mono at RATE_HZ."""
        return [read_sound(path) for path in self.paths]


def read_sound(path: Path) -> Signal:
    """A clip's samples, float32 mono. Raises SystemExit for another rate than RATE_HZ."""
    sound, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != RATE_HZ:
        raise SystemExit(f"{path}: {rate_hz} Hz, but {RATE_HZ} Hz is needed")
    return sound if sound.ndim == 1 else sound.mean(1)


def read_prepared(folder: Path) -> Clips:
    """A folder that `training.prepare voice` wrote. RAVDESS's odd actors are men."""
    index = ravdess.read_index(folder)
    count = len(index.paths)
    known = folder.name == RAVDESS.name
    return Clips(
        index.paths,
        index.labels,
        np.array([f"{folder.name}/{actor}" for actor in index.actors]),
        np.full(count, folder.name),
        np.where(index.actors % 2 == 1, "m", "f") if known else np.full(count, "", "U1"),
        np.full(count, RAVDESS.language if known else ""),
    )


def read_corpus(folder: Path) -> Clips:
    """One corpus of `index.csv` and the files that it names. Raises SystemExit without an index."""
    if not (folder / "index.csv").exists():
        raise SystemExit(f"{folder}: no index.csv; training/README.md says where it comes from")
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Clips(
        [folder / row["file"] for row in rows],
        np.array([LABELS.index(row["label"]) for row in rows], np.int64),
        np.array([f"{folder.name}/{row['speaker']}" for row in rows]),
        np.full(len(rows), folder.name),
        np.array([row["sex"] for row in rows], "U1"),
        np.array([row["language"] for row in rows]),
    )


def folder_of(data: Path, name: str) -> Path:
    """Where a corpus lies in the folder of all data."""
    return data / name if name == RAVDESS.name else data / "corpora" / name


def read(data: Path, name: str) -> Clips:
    """A corpus by its name, of the folder of all data. Raises SystemExit if it is not there."""
    reader: Callable[[Path], Clips] = read_prepared if name == RAVDESS.name else read_corpus
    return reader(folder_of(data, name))


def joined(parts: Collection[Clips]) -> Clips:
    """Several corpora, one after another."""
    return Clips(
        [path for part in parts for path in part.paths],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.speakers for part in parts]),
        np.concatenate([part.corpora for part in parts]),
        np.concatenate([part.sexes for part in parts]),
        np.concatenate([part.languages for part in parts]),
    )


def as_seven(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of LABELS (n,) to indices of SEVEN: calm counts as neutral."""
    order = [SEVEN.index("neutral" if label == "calm" else label) for label in LABELS]
    return np.array(order)[labels]


def scores_of_seven(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scores (n, LABELS) to (n, SEVEN): calm's is added to neutral's."""
    seven = np.delete(scores, LABELS.index("calm"), axis=1)
    seven[:, SEVEN.index("neutral")] += scores[:, LABELS.index("calm")]
    return seven
