"""Made sounds that are not speech: rooms, machines, signals, music. float32 mono, 2 s at 16 kHz.

Each maker takes a numpy Generator and gives a signal of any level; the same seed, the same sound.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from training.voice.augment import noise_like, reverberate
from training.voice.data import RATE_HZ

Signal = NDArray[np.float32]
Values = NDArray[np.float64]
Random = np.random.Generator

SAMPLES = 2 * RATE_HZ
TIMES = np.arange(SAMPLES) / RATE_HZ
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), tuple(range(12)))


def harmonics(pitch_hz: float, times: Values, strengths: Values, random: Random) -> Values:
    """Partials over a fundamental, with a little vibrato on some notes."""
    depth, rate_hz = random.choice([0, 0, 0.004, 0.012]), random.uniform(4, 7)
    phase = 2 * np.pi * pitch_hz * (times - depth * np.cos(2 * np.pi * rate_hz * times) / rate_hz)
    below = [k for k in range(1, len(strengths) + 1) if k * pitch_hz < RATE_HZ / 2]
    return sum(strengths[k - 1] * np.sin(k * phase + k) for k in below) + 0 * times


def plucked(pitch_hz: float, times: Values, _: Values, random: Random) -> Values:
    """A string (Karplus & Strong 1983)."""
    period = max(2, round(RATE_HZ / pitch_hz))
    burst = np.zeros(len(times))
    burst[:period] = random.standard_normal(min(period, len(times)))
    damping = random.uniform(0.985, 0.999)
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1, -damping / 2, -damping / 2
    return lfilter([1], loop, burst)


def bell(pitch_hz: float, times: Values, _: Values, random: Random) -> Values:
    """Frequency modulation at an inharmonic ratio (Chowning 1973)."""
    ratio, index = random.uniform(0.5, 3.5), random.uniform(0.5, 5) * np.exp(-3 * times)
    phase = 2 * np.pi * pitch_hz * times
    return np.sin(phase + index * np.sin(ratio * phase))


INSTRUMENTS = (harmonics, harmonics, plucked, bell)


def envelope(times: Values, random: Random) -> Values:
    """Struck and fading, or swelling and held."""
    if random.random() < 0.5:
        return np.exp(-random.uniform(1, 12) * times)
    attack = random.uniform(0.01, 0.15)
    return np.minimum(1, times / attack) * np.minimum(1, (times[-1] - times) / 0.03)


def melody(random: Random, low: int = 40, high: int = 88) -> Values:
    """One instrument, one note after the other, in a scale; sometimes a rest."""
    instrument = INSTRUMENTS[random.integers(len(INSTRUMENTS))]
    strengths = random.uniform(0, 1, 16) / np.arange(1, 17) ** random.uniform(0.3, 2)
    strengths[0] += 0.3
    scale, root = SCALES[random.integers(len(SCALES))], random.integers(12)
    notes = [n for n in range(low, high) if (n - root) % 12 in scale]
    beat_s = random.uniform(0.1, 0.7)
    place, sound, start = int(random.integers(len(notes))), np.zeros(SAMPLES), 0
    while start < SAMPLES:
        length = min(round(beat_s * random.choice([0.5, 1, 1, 2]) * RATE_HZ), SAMPLES - start)
        place = int(np.clip(place + random.integers(-3, 4), 0, len(notes) - 1))
        if length > 200 and random.random() > 0.1:
            times = np.arange(length) / RATE_HZ
            pitch_hz = 440 * 2 ** ((notes[place] - 69) / 12)
            note = instrument(pitch_hz, times, strengths, random) * envelope(times, random)
            sound[start : start + length] = note / max(np.abs(note).max(), 1e-9)
        start += length
    return sound


def percussion(random: Random) -> Values:
    """Drums on a grid: a falling sine below, noise above."""
    sound, beat_s = np.zeros(SAMPLES), random.uniform(0.12, 0.4)
    for start in np.arange(0, SAMPLES, beat_s * RATE_HZ).astype(int):
        times = np.arange(SAMPLES - start) / RATE_HZ
        if random.random() < 0.5:
            drop_hz = 50 + random.uniform(20, 150) * np.exp(-30 * times)
            sound[start:] += np.sin(2 * np.pi * np.cumsum(drop_hz) / RATE_HZ) * np.exp(-9 * times)
        if random.random() < 0.6:
            hiss = np.diff(random.standard_normal(len(times) + 1))
            sound[start:] += random.uniform(0.1, 1) * hiss * np.exp(-random.uniform(8, 60) * times)
    return sound


def music(random: Random) -> Signal:
    """Up to four voices, with or without drums, in a room or not."""
    parts = [melody(random) for _ in range(random.integers(1, 5))]
    if random.random() < 0.5:
        parts.append(percussion(random) * random.uniform(0.3, 2))
    sound = np.sum([part * random.uniform(0.3, 1) for part in parts], axis=0).astype(np.float32)
    return reverberate(sound, random) if random.random() < 0.5 else sound


def room(random: Random) -> Signal:
    """Steady noise, mains hum below it or not, getting louder or not."""
    sound = noise_like(np.zeros(SAMPLES), random.uniform(0, 1.2), random)
    sound = sound / sound.std()
    if random.random() < 0.4:
        mains = harmonics(random.choice([50, 60, 100, 120]), TIMES, random.uniform(0, 1, 8), random)
        sound = sound + mains * random.uniform(0.1, 3)
    if random.random() < 0.3:
        sound = sound * np.where(random.uniform(0.2, 1.8) < TIMES, 1, random.uniform(0, 0.5))
    return sound.astype(np.float32)


def tone(random: Random) -> Signal:
    """A beep, a whistle that glides, or an alarm of two tones, over a little noise."""
    start_hz, end_hz = random.uniform(60, 4000, 2)
    glide = random.choice([0, 0, 1])
    pitch_hz = start_hz + glide * (end_hz - start_hz) * TIMES / 2
    if random.random() < 0.3:
        pitch_hz = np.where(TIMES * random.uniform(1, 6) % 1 < 0.5, start_hz, end_hz)
    begin, end = sorted(random.uniform(-1, 3, 2))
    sound = np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ) * ((begin < TIMES) & (end > TIMES))
    return (sound + random.standard_normal(SAMPLES) * 10 ** random.uniform(-4, -1)).astype(
        np.float32
    )


def knocks(random: Random) -> Signal:
    """Claps, keys, steps: short bursts whenever, each ringing in its own way."""
    sound = random.standard_normal(SAMPLES) * 10 ** random.uniform(-4, -2)
    for start in random.integers(0, SAMPLES, random.integers(1, 16)):
        times = np.arange(SAMPLES - start) / RATE_HZ
        burst = random.standard_normal(len(times)) * np.exp(-random.uniform(10, 200) * times)
        radius, turn = random.uniform(0.3, 0.98), random.uniform(0.05, 2.5)
        sound[start:] += lfilter([1], [1, -2 * radius * np.cos(turn), radius**2], burst)
    return sound.astype(np.float32)


MAKERS: dict[str, Callable[[Random], Signal]] = {
    "music": music, "room": room, "tone": tone, "knocks": knocks,
}  # fmt: skip
