"""Another room, another microphone, another voice: sound in, a 2 s window out. float32 mono."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from edge.inference.speech_features import loudest_start, rms
from training.voice.data import RATE_HZ

Signal = NDArray[np.float32]
Random = np.random.Generator
Range = tuple[float, float]

SPEED = 0.15
# Below this noise is no louder than at it: rumble that nobody hears would be most of its power.
LOWEST_HZ = 10.0
SHIFT_S = (-0.6, 0.4)
SNR_DB = (0.0, 30.0)
# The reverberation's energy against the direct sound's, as amplitude: a microphone near and far.
TAIL = (0.1, 1.0)
TAIL_S = (0.1, 0.5)


def change_speed(signal: Signal, random: Random) -> Signal:
    """Faster and higher or slower and lower, as another throat would speak."""
    speed = random.uniform(1 - SPEED, 1 + SPEED)
    times = np.arange(0, len(signal) - 1, speed)
    return np.interp(times, np.arange(len(signal)), signal).astype(np.float32)


def take_window(signal: Signal, samples: int, random: Random) -> Signal:
    """`samples` around the loudest part, as a person presses and then speaks."""
    start = loudest_start(signal, samples) + round(random.uniform(*SHIFT_S) * RATE_HZ)
    start = min(max(start, 0), max(0, len(signal) - samples))
    part = signal[start : start + samples]
    return np.pad(part, (0, samples - len(part)))


def colour(signal: Signal, random: Random) -> Signal:
    """Another microphone: a smooth random frequency response of up to +-9 dB."""
    spectrum = np.fft.rfft(signal)
    points = random.uniform(-9, 9, 6)
    decibels = np.interp(np.linspace(0, 5, len(spectrum)), np.arange(6), points)
    return np.fft.irfft(spectrum * 10 ** (decibels / 20), len(signal)).astype(np.float32)


def reverberate(
    signal: Signal, random: Random, tail: Range = TAIL, tail_s: Range = TAIL_S
) -> Signal:
    """A small room: noise under the direct sound that dies away by 60 dB in `tail_s`."""
    seconds = random.uniform(*tail_s)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    response = random.standard_normal(len(times)) * np.exp(-6.9 * times / seconds)
    response *= random.uniform(*tail) / np.sqrt(np.square(response).sum())
    response[0] += 1
    return fftconvolve(signal, response)[: len(signal)].astype(np.float32)


def noise_like(signal: Signal, tilt: float, random: Random) -> Signal:
    """Steady noise as long as the signal: `tilt` 0 is white, 0.5 pink, 1 brown above LOWEST_HZ."""
    spectrum = np.fft.rfft(random.standard_normal(len(signal)))
    spectrum /= np.maximum(np.fft.rfftfreq(len(signal), 1 / RATE_HZ), LOWEST_HZ) ** tilt
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32)


def mixed(signal: Signal, noise: Signal, snr_db: float) -> Signal:
    """The signal over noise that is `snr_db` dB below it."""
    return signal + noise * np.float32(10 ** (-snr_db / 20) * rms(signal) / rms(noise))


def add_noise(signal: Signal, random: Random) -> Signal:
    """Steady noise between white and brown, 0 to 30 dB below the voice."""
    return mixed(signal, noise_like(signal, random.uniform(0, 1), random), random.uniform(*SNR_DB))


CHANGES = ((colour, 0.6), (reverberate, 0.5), (add_noise, 0.7))
