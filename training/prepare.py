"""Downloaded data to what training reads: `python -m training.prepare face FOLDER OUT.npz`.

face: Kaggle's FER2013 folders (train/<emotion>/*.jpg, test/<emotion>/*.jpg) to one .npz. FER+ votes
cannot be told from the folders' names, so there are none and the labels stand alone.
voice: RAVDESS speech (Actor_*/03-*.wav) to 16 kHz FLAC and an index.
"""

import argparse
import csv
import hashlib
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly
from tqdm import tqdm

from training.face_data import LABELS, PRIVATE, PUBLIC, TRAINING
from training.voice_data import LABELS as VOICE_LABELS
from training.voice_data import RATE_HZ

USAGES = {"Training": TRAINING, "PublicTest": PUBLIC, "PrivateTest": PRIVATE}
RATERS = 10


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


def prepare_voice(folder: Path, out: Path) -> None:
    files = sorted(folder.glob("Actor_*/03-*.wav"))
    if not files:
        raise SystemExit(f"{folder}: no Actor_*/03-*.wav in it")
    rows = []
    for path in tqdm(files):
        signal, rate = soundfile.read(path, dtype="float32", always_2d=True)
        shared = gcd(rate, RATE_HZ)
        mono = resample_poly(signal.mean(1), RATE_HZ // shared, rate // shared)
        actor = out / path.parent.name
        actor.mkdir(parents=True, exist_ok=True)
        soundfile.write(actor / f"{path.stem}.flac", mono, RATE_HZ)
        emotion = VOICE_LABELS[int(path.stem.split("-")[2]) - 1]
        rows.append({"name": path.stem, "actor": actor.name, "emotion": emotion})
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
