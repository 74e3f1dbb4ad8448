"""The speech gate's windows as features, computed once: `python -m training.activity.bank`."""

import argparse
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.speech_features import features
from training.activity import data as activity_data
from training.activity.data import SAMPLES, Part, Signal
from training.voice import bank as voice_bank
from training.voice.augment import CHANGES

# Half as many frames as the emotion network takes: yes or no needs less.
SETTINGS = msgspec.structs.replace(voice_bank.SETTINGS, hop_s=0.020)
VARIANTS: dict[Part, int] = {"fit": 3, "choose": 1}
"""The window itself, and this many less one in other rooms."""
MOST: dict[Part, int] = {"fit": 800, "choose": 300}
CUT_SHARE = 0.3
DEFAULT = Path("training/data/activity_bank.npz")
SEED = 4


def cut_out(signal: Signal, random: np.random.Generator) -> Signal:
    """Only a stretch of it, and silence around: as a word stands in a quiet room."""
    first, last = np.sort(random.integers(0, SAMPLES, 2))
    if last - first < SAMPLES // 8:
        return signal
    return np.where((np.arange(SAMPLES) >= first) & (np.arange(SAMPLES) < last), signal, 0)


def heard(signal: Signal, speech: bool, variants: int, seed: Sequence[int]) -> list[Signal]:
    """A window as it is, and elsewhere."""
    random = np.random.default_rng(seed)
    signals = [signal]
    for _ in range(variants - 1):
        changed = signal if speech or random.random() > CUT_SHARE else cut_out(signal, random)
        for change, share in CHANGES:
            if changed.any() and random.random() < share:
                changed = change(changed, random)
        signals.append(changed)
    return signals


def window_features(item: tuple[int, tuple[Signal, bool]], variants: int) -> NDArray[np.float16]:
    """(variants, frames, values) of one numbered window."""
    number, (signal, speech) = item
    parts = heard(signal, speech, variants, (SEED, number))
    return np.stack([features(part, SETTINGS) for part in parts]).astype(np.float16)


def build(
    data: Path, sounds: Path, part: Part, workers: int
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Features (n, variants, frames, values) and labels (n,) of a part."""
    items = [
        (signal, group.speech)
        for group in activity_data.windows(data, sounds, part, MOST[part])
        for signal in group.signals
    ]
    work = partial(window_features, variants=VARIANTS[part])
    with get_context("forkserver").Pool(workers) as pool:
        rows = pool.imap(work, enumerate(items), chunksize=16)
        found = np.stack(list(tqdm(rows, total=len(items), mininterval=5, desc=part)))
    return found, np.array([int(speech) for _, speech in items])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("training/data/ravdess_16k"))
    parser.add_argument("--sounds", type=Path, default=Path("training/data/sounds"))
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    arrays = {}
    for part in VARIANTS:
        found, labels = build(options.data, options.sounds, part, options.workers)
        arrays |= {f"{part}_features": found, f"{part}_labels": labels}
        print(f"{part}: {found.shape}, {labels.mean():.2f} of them speech")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.out, **arrays)


if __name__ == "__main__":
    main()
