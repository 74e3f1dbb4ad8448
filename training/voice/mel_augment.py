"""Cheap variety in log mel energies: tempo, the window's place, background voices, music, codecs.

Energies are (frames, filters) of the bank, logarithms, or batches (n, frames, filters) of powers.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.voice.bank import LEAST, SETTINGS, log_energies
from training.voice.data import RATE_HZ

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]
Random = np.random.Generator

TEMPO = (0.6, 1.6)
TEMPO_SPREAD = 0.2
"""Of the logarithm of the tempo, about 1."""
TEMPO_SHARE = 0.5
LOUDEST_SHARE = 0.75
"""How many windows lie about the loudest part; the others lie anywhere."""
SHIFT_S = (-0.6, 0.4)
EARLIEST_S = -0.5
"""A window may begin before its clip, in silence."""
SPOKEN_S = 1.0
"""What a window holds of its clip at the least, if the clip is that long."""
BACKGROUND_SHARE = 0.2
BACKGROUND_SNR_DB = (5.0, 25.0)
VOICES = 3
"""So many other clips make babble."""
CODEC_SHARE = 0.15
HIGHEST_HZ = (3000.0, 7000.0)
LOWEST_HZ = (60.0, 400.0)
STOP_BAND = 1e-4
MUSIC_S = 60
CHORD_S = 0.5


def tempo(random: Random) -> float:
    """How much faster than it was a clip is spoken; the pitch stays."""
    if random.random() > TEMPO_SHARE:
        return 1.0
    return float(np.clip(np.exp(random.normal(0, TEMPO_SPREAD)), *TEMPO))


def loudest_frame(energies: Halves, frames: int) -> int:
    """Where the `frames` in a row that hold the most energy begin."""
    if len(energies) <= frames:
        return 0
    sums = np.concatenate([[0], np.cumsum(np.exp(energies.astype(np.float32)).sum(1))])
    return int(np.argmax(sums[frames:] - sums[:-frames]))


def window_start(energies: Halves, reach: int, random: Random) -> float:
    """The first frame of a window that spans `reach` frames of the clip; it may be negative."""
    per_s = 1 / SETTINGS.hop_s
    if random.random() < LOUDEST_SHARE:
        start = loudest_frame(energies, reach) + random.uniform(*SHIFT_S) * per_s
    else:
        last = max(0.0, len(energies) - SPOKEN_S * per_s)
        start = random.uniform(EARLIEST_S * per_s, last)
    return float(start)


def resampled(energies: Halves, start: float, step: float, frames: int) -> Floats:
    """(frames, filters) at start, start + step, ...; outside of the clip it is silent."""
    places = start + step * np.arange(frames)
    low = np.floor(places).astype(np.int64)
    inside = (places >= 0) & (places <= len(energies) - 1)
    last = len(energies) - 1
    share = (places - low).astype(np.float32)[:, None]
    near = energies[np.clip(low, 0, last)].astype(np.float32)
    far = energies[np.clip(low + 1, 0, last)].astype(np.float32)
    return np.where(inside[:, None], near + share * (far - near), np.float32(np.log(LEAST)))


def window(energies: Halves, frames: int, random: Random) -> Floats:
    """(frames, filters) of a clip's logarithms at some tempo, from some place on."""
    step = tempo(random)
    start = window_start(energies, round(frames * step), random)
    return resampled(energies, start, step, frames)


def music(random: Random) -> Tensor:
    """(frames, filters) powers of MUSIC_S of chords of harmonic tones, of mean square 1."""
    times = np.arange(round(CHORD_S * RATE_HZ)) / RATE_HZ
    sound = np.concatenate([chord(times, random) for _ in range(round(MUSIC_S / CHORD_S))])
    return torch.from_numpy(log_energies((sound / sound.std()).astype(np.float32), SETTINGS)).exp()


def chord(times: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    """Three struck notes of ten harmonics each, over `times` (n,) in s."""
    notes_hz = 110 * 2 ** (random.integers(0, 30, 3) / 12)
    decay = np.exp(-times * random.uniform(1, 8))
    harmonics = np.arange(1, 11)
    waves = [np.sin(2 * np.pi * note * h * times) / h for note in notes_hz for h in harmonics]
    return np.sum(waves, axis=0) * decay


def background(energies: Tensor, tune: Tensor, random: Random) -> Tensor:
    """(n, frames, filters) behind each window: babble of the batch's other clips, or music."""
    count, frames, _ = energies.shape
    rolled = energies.roll(int(random.integers(frames)), 1)
    babble = sum(rolled[torch.from_numpy(random.permutation(count))] for _ in range(VOICES))
    starts = random.integers(len(tune) - frames, size=count)
    played = torch.stack([tune[start : start + frames] for start in starts])
    return torch.where(torch.from_numpy(random.random((count, 1, 1)) < 0.5), babble, played)


def with_background(energies: Tensor, tune: Tensor, random: Random) -> Tensor:
    """Some of the windows, with other voices or music behind them."""
    count = len(energies)
    behind = background(energies, tune, random)
    there = random.random(count) < BACKGROUND_SHARE
    share = np.where(there, 10 ** (-random.uniform(*BACKGROUND_SNR_DB, count) / 10), 0)
    loudness = energies.mean((1, 2), keepdim=True) / behind.mean((1, 2), keepdim=True).clamp(LEAST)
    return energies + behind * loudness * torch.from_numpy(share).float()[:, None, None]


def centres_hz() -> NDArray[np.float64]:
    """(filters,) where the mel filters lie (python_speech_features' scale)."""
    ends = 2595 * np.log10(1 + np.array([SETTINGS.low_hz, SETTINGS.high_hz]) / 700)
    return 700 * (10 ** (np.linspace(*ends, SETTINGS.filters + 2)[1:-1] / 2595) - 1)


def codec(count: int, random: Random) -> Tensor:
    """Powers that pass, (count, 1, filters): in some rows a telephone's or a codec's band."""
    centres = centres_hz()
    highest = np.exp(random.uniform(*np.log(HIGHEST_HZ), (count, 1)))
    lowest = np.exp(random.uniform(*np.log(LOWEST_HZ), (count, 1)))
    stopped = (centres > highest) | (centres < lowest)
    stopped &= random.random((count, 1)) < CODEC_SHARE
    return torch.from_numpy(np.where(stopped, STOP_BAND, 1.0)).float()[:, None]
