"""Downloaded data to what training reads: `python -m training.prepare face FOLDER OUT.npz`.

face: Kaggle's FER2013 folders (train/<emotion>/*.jpg, test/<emotion>/*.jpg) to one .npz. FER+ votes
cannot be told from the folders' names, so there are none and the labels stand alone.
voice: RAVDESS speech (Actor_*/03-01-*.wav), CREMA-D (1001_DFA_ANG_XX.wav), or a folder of one's
own recordings, named EMOTION_SPEAKER_ANYTHING.wav or EMOTION_ANYTHING.wav, to 16 kHz FLAC and an
index.
"""

import argparse
import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly
from tqdm import tqdm

from training.face.data import LABELS, PRIVATE, PUBLIC, TRAINING
from training.voice.data import FOLDS, RATE_HZ
from training.voice.data import LABELS as VOICE_LABELS

USAGES = {"Training": TRAINING, "PublicTest": PUBLIC, "PrivateTest": PRIVATE}
RATERS = 10
CREMA_EMOTIONS = {
    "NEU": "neutral",
    "HAP": "happy",
    "SAD": "sad",
    "ANG": "angry",
    "FEA": "fearful",
    "DIS": "disgust",
}
CREMA_NAME = re.compile(rf"(1\d{{3}})_[A-Z]{{3}}_({'|'.join(CREMA_EMOTIONS)})_[A-Z]{{2}}")
NAME_PARTS = re.compile("[-_ ]+")


class Recording(NamedTuple):
    """A sound file, who speaks, and how."""

    path: Path
    speaker: str
    emotion: str


def face_files(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Each image with its label and usage, which its name begins with."""
    for path in sorted(folder.glob("t*/*/*.jpg")):
        usage = path.name.split("_")[0]
        if usage not in USAGES or path.parent.name not in LABELS:
            raise SystemExit(f"{path}: not named as Kaggle's FER2013 (train/happy/Training_1.jpg)")
        yield path, LABELS.index(path.parent.name), USAGES[usage]


def duplicate_groups(images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """One number for each set of pixel-identical images, -1 for an image that is alone."""
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    _, group, count = np.unique(digests, return_inverse=True, return_counts=True)
    return np.where(count[group] > 1, group, -1).astype(np.int32)


def prepare_face(folder: Path, out: Path) -> None:
    files = list(face_files(folder))
    if not files:
        raise SystemExit(f"{folder}: no train/<emotion>/*.jpg in it")
    images = np.stack(
        [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path, _, _ in tqdm(files)]
    ).astype(np.uint8)
    np.savez_compressed(
        out,
        images=images,
        labels=np.array([label for _, label, _ in files], np.uint8),
        usage=np.array([usage for _, _, usage in files], np.uint8),
        ferplus_votes=np.full((len(files), RATERS), -1, np.int8),
        dup_group=duplicate_groups(images),
    )


def ravdess_files(folder: Path) -> list[Recording]:
    """RAVDESS names its actors in folders and its emotions by the third number, from 1.

    Only what is spoken (01): the songs (02) come in folders of the same names.
    """
    return [
        Recording(path, path.parent.name, VOICE_LABELS[int(path.stem.split("-")[2]) - 1])
        for path in sorted(folder.glob("Actor_*/03-01-*.wav"))
    ]


def crema_files(folder: Path) -> list[Recording]:
    """CREMA-D's AudioWAV (Cao et al. 2014): ACTOR_SENTENCE_EMOTION_LEVEL.wav, actors from 1001."""
    named = ((path, CREMA_NAME.fullmatch(path.stem)) for path in sorted(folder.rglob("*.wav")))
    return [
        Recording(path, f"Actor_{int(name[1]) - 1000:02}", CREMA_EMOTIONS[name[2]])
        for path, name in named
        if name
    ]


def own_files(folder: Path) -> list[Recording]:
    """One's own: EMOTION_SPEAKER_ANYTHING.wav, or EMOTION_ANYTHING.wav by one who is not named.

    One speaker's name alone tells nobody apart: then it counts as none. Raises SystemExit for a
    name that begins with none of the emotions, or that two files in different folders have.
    """
    named = [(path, NAME_PARTS.split(path.stem)) for path in sorted(folder.rglob("*.wav"))]
    for path, parts in named:
        if parts[0] not in VOICE_LABELS:
            raise SystemExit(f"{path}: its name begins with none of {', '.join(VOICE_LABELS)}")
    twice = [name for name, count in Counter(path.stem for path, _ in named).items() if count > 1]
    if twice:
        raise SystemExit(f"{folder}: two recordings named {twice[0]}.wav in it; rename one")
    speakers = sorted({parts[1] for _, parts in named if len(parts) > 2})
    speakers = speakers if len(speakers) > 1 else []
    return [
        Recording(path, f"Actor_{actor_of(parts, speakers, number):02}", parts[0])
        for number, (path, parts) in enumerate(named)
    ]


def actor_of(parts: list[str], speakers: list[str], number: int) -> int:
    """A speaker's number from 1; recordings of no known one are dealt out to FOLDS, in turn."""
    if speakers and len(parts) > 2:
        return speakers.index(parts[1]) + 1
    return len(speakers) + number % FOLDS + 1


def prepare_voice(folder: Path, out: Path) -> None:
    files = ravdess_files(folder) or crema_files(folder) or own_files(folder)
    if not files:
        raise SystemExit(
            f"{folder}: neither Actor_*/03-01-*.wav nor 1001_DFA_ANG_XX.wav nor EMOTION_*.wav in it"
        )
    rows = []
    for path, speaker, emotion in tqdm(files):
        signal, rate = soundfile.read(path, dtype="float32", always_2d=True)
        shared = gcd(rate, RATE_HZ)
        mono = resample_poly(signal.mean(1), RATE_HZ // shared, rate // shared)
        actor = out / speaker
        actor.mkdir(parents=True, exist_ok=True)
        soundfile.write(actor / f"{path.stem}.flac", mono, RATE_HZ)
        rows.append({"name": path.stem, "actor": speaker, "emotion": emotion})
    with (out / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["face", "voice"])
    parser.add_argument("folder", type=Path, help="what was downloaded, unpacked")
    parser.add_argument("out", type=Path, help="an .npz for face, a folder for voice")
    options = parser.parse_args()
    {"face": prepare_face, "voice": prepare_voice}[options.task](options.folder, options.out)


if __name__ == "__main__":
    main()
