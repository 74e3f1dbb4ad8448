"""Log mel energies of a sound, computed in float32: what python_speech_features gives, faster."""

from functools import cache

import numpy as np
import python_speech_features as psf
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

from edge.inference.card import SpeechFeatures

Signal = NDArray[np.float32]

SMALLEST = float(np.finfo(np.float64).eps)
"""What python_speech_features puts for the energy of digital silence."""


@cache
def _filters(settings: SpeechFeatures) -> NDArray[np.float32]:
    """(bins, filters)"""
    return psf.get_filterbanks(
        settings.filters, settings.fft_size, settings.rate_hz, settings.low_hz, settings.high_hz
    ).T.astype(np.float32)


def frames_of(signal: Signal, settings: SpeechFeatures) -> Signal:
    """(frames, samples), the last one padded with zeros, as python_speech_features cuts them."""
    length = round(settings.frame_s * settings.rate_hz)
    hop = round(settings.hop_s * settings.rate_hz)
    count = 1 + max(0, -(-(signal.size - length) // hop))
    padded = np.pad(signal, (0, max(0, (count - 1) * hop + length - signal.size)))
    return sliding_window_view(padded, length)[::hop]


def fast_log_energies(signal: Signal, settings: SpeechFeatures) -> NDArray[np.float32]:
    """(frames, filters) of a (n,) float32 signal: logarithms of the mel filters' powers."""
    emphasised = np.append(signal[:1], signal[1:] - np.float32(settings.preemphasis) * signal[:-1])
    frames = frames_of(emphasised, settings)
    windowed = frames * np.hamming(frames.shape[1]).astype(np.float32)
    spectrum = rfft(windowed, settings.fft_size)
    power = (spectrum.real**2 + spectrum.imag**2) / settings.fft_size
    return np.log(np.maximum(power @ _filters(settings), SMALLEST))
