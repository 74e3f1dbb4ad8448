"""Every clip's mel energies at many speeds and in many rooms: `python -m training.voice.bank`.

What costs most of MFCC is computed once and kept in a file that all runs and folds read; what is
cheap (noise, microphones, where the window begins, delta) is new in every epoch, see
`training.voice.mel`. A clip's variants stay with its actor: whoever picks clips by actor never
trains on an altered clip of somebody it is tested on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import python_speech_features as psf
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.card import SpeechFeatures
from edge.inference.speech_features import features, filterbank
from training.voice import data as voice_data
from training.voice import windows as voice_windows
from training.voice.augment import change_speed, reverberate

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
CLEAN = (voice_windows.loudest, voice_windows.pressed)
"""The windows that are measured, as they are."""
VARIANTS = 24
ROOM_SHARE = 0.8
# As the webcam of `voice_world` has it, and further; of the strengths each octave is as likely.
TAIL, TAIL_S = (0.3, 2.5), (0.1, 0.6)
SEED = 1
DEFAULT = Path("training/data/voice_bank.npz")

LEAST = 1e-20
"""For the logarithm of silence."""

Halves = NDArray[np.float16]


@dataclass(frozen=True)
class Bank:
    """What is known of n clips, in the data's order."""

    clean: Halves
    """(n, len(CLEAN), frames, values): the features of the windows that are measured."""
    energies: Halves
    """(all frames, filters): log mel energies of all variants of all clips, one after another."""
    begins: NDArray[np.int64]
    """(n * variants + 1,): where each variant begins in `energies`."""

    @property
    def variants(self) -> int:
        return (len(self.begins) - 1) // len(self.clean)

    def variant(self, clip: int, number: int) -> Halves:
        """(frames, filters) of one variant, which may be longer or shorter than a window."""
        row = clip * self.variants + number
        return self.energies[self.begins[row] : self.begins[row + 1]]


def log_energies(signal: voice_windows.Signal, settings: SpeechFeatures) -> NDArray[np.float32]:
    """(frames, filters): what python_speech_features' MFCC makes before its cosine transform."""
    energies, _ = psf.fbank(signal, **filterbank(settings))
    return np.log(np.maximum(energies, LEAST)).astype(np.float32)


def variants(clip: voice_windows.Signal, seed: Sequence[int], count: int) -> list[Halves]:
    """The whole clip as another throat would speak it, most of them in a room; the first as it is.

    Each (frames, filters).
    """
    random = np.random.default_rng(seed)
    signals = [clip - clip.mean()]
    for _ in range(count - 1):
        changed = change_speed(signals[0], random)
        if random.random() < ROOM_SHARE:
            strength = float(np.exp(random.uniform(*np.log(TAIL))))
            changed = reverberate(changed, random, (strength, strength), TAIL_S)
        signals.append(changed)
    return [log_energies(signal, SETTINGS).astype(np.float16) for signal in signals]


def clip_rows(
    numbered: tuple[int, voice_windows.Signal], count: int
) -> tuple[Halves, list[Halves]]:
    """The measured windows' features and the variants' energies of one clip."""
    number, clip = numbered
    clean = np.stack([features(cut(clip), SETTINGS) for cut in CLEAN]).astype(np.float16)
    return clean, variants(clip, (SEED, number), count)


def build(voices: voice_data.VoiceSet, count: int, workers: int) -> Bank:
    """The bank with `count` variants a clip."""
    work = partial(clip_rows, count=count)
    with get_context("forkserver").Pool(workers) as pool:
        rows = pool.imap(work, enumerate(voices.clips), chunksize=8)
        found = list(tqdm(rows, total=len(voices), mininterval=5))
    parts = [part for _, heard in found for part in heard]
    begins = np.cumsum([0, *map(len, parts)])
    return Bank(np.stack([clean for clean, _ in found]), np.concatenate(parts), begins)


def read(path: Path, clips: int) -> Bank:
    """The bank in a file. Raises SystemExit if it is not for us.

    `clips`: how many the data has.
    """
    if not path.exists():
        raise SystemExit(f"{path}: not there; make it with python -m training.voice.bank")
    with np.load(path) as arrays:
        bank = Bank(arrays["clean"], arrays["energies"], arrays["begins"])
    if len(bank.clean) != clips:
        raise SystemExit(
            f"{path}: of {len(bank.clean)} clips, but the data has {clips}; make it anew"
        )
    return bank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("training/data/ravdess_16k"))
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--variants", type=int, default=VARIANTS, help="of each clip")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    bank = build(voice_data.load(options.data), options.variants, options.workers)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    part = options.out.with_suffix(".part.npz")
    np.savez(part, clean=bank.clean, energies=bank.energies, begins=bank.begins)
    part.replace(options.out)
    print(f"{options.out}: {len(bank.clean)} clips, {bank.variants} variants each")


if __name__ == "__main__":
    main()
