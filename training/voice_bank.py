"""Every clip's features in many rooms, computed once: `python -m training.voice_bank`.

Augmentation and MFCC cost more than the network's training, so they are made once and kept in a
file that all runs and folds read. A clip's variants stay with its actor: whoever picks clips by
actor never trains on an augmented clip of somebody it is tested on.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.card import SpeechFeatures
from edge.inference.speech_features import features
from training import voice_augment, voice_data, voice_windows

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
CLEAN: tuple[Callable[[voice_windows.Signal], voice_windows.Signal], ...] = (
    voice_windows.loudest,
    voice_windows.pressed,
)
"""The first variants: the windows that are measured, as they are."""
AUGMENTED = 14
SEED = 1
DEFAULT = Path("training/data/voice_bank.npy")

Bank = NDArray[np.float16]


def windows(
    clip: voice_windows.Signal, seed: Sequence[int], augmented: int
) -> list[voice_windows.Signal]:
    """The clean windows of a clip, then `augmented` more; the same ones for the same seed."""
    random = np.random.default_rng(seed)
    changed = [
        voice_augment.augment(clip, SETTINGS.window_samples, random) for _ in range(augmented)
    ]
    return [*(cut(clip) for cut in CLEAN), *changed]


def clip_features(numbered: tuple[int, voice_windows.Signal], augmented: int) -> Bank:
    """(variants, frames, values) of one clip."""
    number, clip = numbered
    parts = windows(clip, (SEED, number), augmented)
    return np.stack([features(part, SETTINGS) for part in parts]).astype(np.float16)


def build(voices: voice_data.VoiceSet, augmented: int, workers: int) -> Bank:
    """(clips, variants, frames, values), in the order of `voices`."""
    work = partial(clip_features, augmented=augmented)
    with Pool(workers) as pool:
        rows = pool.imap(work, enumerate(voices.clips), chunksize=8)
        return np.stack(list(tqdm(rows, total=len(voices), mininterval=5)))


def read(path: Path, clips: int) -> Bank:
    """The bank, mapped rather than read: all runs share it. Raises SystemExit if it is not for us.

    `clips`: how many the data has.
    """
    if not path.exists():
        raise SystemExit(f"{path}: not there; make it with python -m training.voice_bank")
    bank = np.load(path, mmap_mode="r")
    if len(bank) != clips:
        raise SystemExit(f"{path}: of {len(bank)} clips, but the data has {clips}; make it anew")
    return bank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ravdess_16k"))
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--augmented", type=int, default=AUGMENTED, help="windows a clip")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    bank = build(voice_data.load(options.data), options.augmented, options.workers)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    part = options.out.with_suffix(".part.npy")
    np.save(part, bank)
    part.replace(options.out)
    print(f"{options.out}: {bank.shape}, {bank.nbytes / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
