"""Mel energies of all training clips, at other speeds and in rooms.

`python -m training.voice.corpora_bank` writes them; it takes about five minutes of one core.

A folder for each corpus holds two arrays, mapped into memory when they are read: about 0.2 MB
a clip with eight variants. What is cheap is new in every epoch: tempo, background voices, codecs
and the window's place (`training.voice.mel_augment`), noise and microphones (`training.voice.mel`).
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.speech_features import TARGET_RMS, loudest_start, rms
from training.voice import corpora
from training.voice.augment import change_speed, reverberate
from training.voice.bank import ROOM_SHARE, SETTINGS, TAIL, TAIL_S
from training.voice.data import RATE_HZ
from training.voice.mel_energies import fast_log_energies

Halves = NDArray[np.float16]
Signal = NDArray[np.float32]

DEFAULT = Path("training/data/corpora_bank")
VARIANTS = 8
SEED = 2
LONGEST_S = 4.5
"""Of a longer clip, the seconds around its loudest two are kept: enough for the fastest tempo."""
BEFORE_S = 1.0


@dataclass(frozen=True)
class CorpusBank:
    """The variants of a corpus's n clips, in the order of its index."""

    energies: Halves
    """(all frames, filters): log mel energies, one variant after another."""
    begins: NDArray[np.int64]
    """(n, variants + 1): where each variant begins in `energies`, and where the last one ends."""

    @property
    def variants(self) -> int:
        return self.begins.shape[1] - 1

    def variant(self, clip: int, number: int) -> Halves:
        """(frames, filters) of one variant, longer or shorter than a window."""
        return self.energies[self.begins[clip, number] : self.begins[clip, number + 1]]


def around_loudest(clip: Signal) -> Signal:
    """At most LONGEST_S of the clip, with its loudest two seconds."""
    start = max(0, loudest_start(clip, 2 * RATE_HZ) - round(BEFORE_S * RATE_HZ))
    length = round(LONGEST_S * RATE_HZ)
    start = max(0, min(start, clip.size - length))
    return clip[start : start + length]


def level_normalised(clip: Signal) -> Signal:
    """At TARGET_RMS: in several corpora the level tells the label."""
    centred = clip - clip.mean()
    return np.asarray(centred * (TARGET_RMS / max(rms(centred), 1e-6)), np.float32)


def altered(clip: Signal, random: np.random.Generator) -> Signal:
    """As another person would speak it, most often in a room."""
    changed = change_speed(clip, random)
    if random.random() >= ROOM_SHARE:
        return changed
    strength = float(np.exp(random.uniform(*np.log(TAIL))))
    return reverberate(changed, random, (strength, strength), TAIL_S)


def variants(clip: Signal, seed: Sequence[int], count: int) -> list[Signal]:
    """`count` sounds made of one clip: the first as it is, the others altered."""
    random = np.random.default_rng(seed)
    plain = level_normalised(around_loudest(clip))
    return [plain, *(altered(plain, random) for _ in range(count - 1))]


def clip_rows(numbered: tuple[int, Path], count: int) -> list[Halves]:
    """The log mel energies of a clip's variants, each (frames, filters)."""
    number, path = numbered
    sounds = variants(corpora.read_sound(path), (SEED, number), count)
    return [fast_log_energies(sound, SETTINGS).astype(np.float16) for sound in sounds]


def rows_of(paths: list[Path], count: int, workers: int) -> Iterator[list[Halves]]:
    """Each clip's variants in order, computed by `workers` processes."""
    with get_context("forkserver").Pool(workers) as pool:
        work = pool.imap(partial(clip_rows, count=count), enumerate(paths), chunksize=8)
        yield from tqdm(work, total=len(paths), mininterval=5)


def build(clips: corpora.Clips, folder: Path, count: int, workers: int) -> None:
    """Write a corpus's bank into `folder`; the frames go to the disk as they come."""
    folder.mkdir(parents=True, exist_ok=True)
    lengths = []
    with (folder / "energies.part").open("wb") as file:
        for parts in rows_of(clips.paths, count, workers):
            lengths.append([len(part) for part in parts])
            np.concatenate(parts).tofile(file)
    ends = np.cumsum(np.array(lengths, np.int64)).reshape(-1, count)
    starts = np.concatenate([[0], ends[:-1, -1]])
    np.save(folder / "begins.npy", np.column_stack([starts, ends]))
    (folder / "energies.part").replace(folder / "energies.f16")


def read(folder: Path, clips: int) -> CorpusBank:
    """A corpus's bank, mapped into memory. Raises SystemExit if it is not there or does not fit.

    `clips`: how many the data has.
    """
    if not (folder / "energies.f16").exists():
        raise SystemExit(f"{folder}: no bank; make it with python -m training.voice.corpora_bank")
    begins = np.load(folder / "begins.npy")
    if len(begins) != clips:
        raise SystemExit(f"{folder}: of {len(begins)} clips, but the data has {clips}; build again")
    shape = (int(begins[-1, -1]), SETTINGS.filters)
    return CorpusBank(np.memmap(folder / "energies.f16", np.float16, "r", shape=shape), begins)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--corpora", nargs="*", default=corpora.TRAINING)
    parser.add_argument(
        "--also", type=Path, nargs="*", default=[], help="folders of training.prepare voice"
    )
    parser.add_argument("--variants", type=int, default=VARIANTS, help="of each clip")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    wanted = {name: corpora.read(options.data, name) for name in options.corpora}
    wanted |= {folder.name: corpora.read_prepared(folder) for folder in options.also}
    for name, clips in wanted.items():
        build(clips, options.out / name, options.variants, options.workers)
        print(f"{options.out / name}: {len(clips)} clips, {options.variants} variants each")


if __name__ == "__main__":
    main()
