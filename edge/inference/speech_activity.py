"""Did anybody speak? A yes or no for a recording, whatever its level; no network, no vendor.

Speech is told from other sound by three things together: its level rises and falls, much of it has
a pitch, and that pitch moves. Steady noise lacks the first, claps the second, tones the third.
"""

import numpy as np
from numpy.typing import NDArray

from edge.inference.speech_features import Signal, checked

Values = NDArray[np.float64]

# The band that holds a voice's pitch and first formants, without the hum below and hiss above.
BAND_HZ = (80.0, 4000.0)
PITCH_HZ = (70.0, 450.0)
FRAME_S, HOP_S = 0.032, 0.020
# Thresholds measured on RAVDESS actors 17-20 and synthetic noise, tones and claps.
ABOVE_FLOOR_DB = 9.0
BELOW_PEAK_DB = 35.0
PERIODIC = 0.6
PURE = 0.9
LEAST_VOICED_S = 0.2
LEAST_PITCH_SPREAD = 0.02
# What a 16-bit recording cannot hold: below a tenth of its step there is nothing to judge.
NOTHING = 3e-6


def band_pass(signal: Values, rate_hz: int) -> Values:
    """BAND_HZ of the signal, the gain falling as a second-order Butterworth's, without delay.

    By Fourier transform: scipy.signal would cost the audio process 35 MB and 1.5 s of start.
    """
    spectrum = np.fft.rfft(signal)
    pitch_hz = np.maximum(np.fft.rfftfreq(signal.size, 1 / rate_hz), 1e-3)
    low, high = BAND_HZ
    gain = 1 / np.sqrt((1 + (low / pitch_hz) ** 4) * (1 + (pitch_hz / high) ** 4))
    return np.fft.irfft(spectrum * gain, signal.size)


def frames_of(signal: Signal, rate_hz: int) -> Values:
    """Overlapping frames (n, samples) of the voice's band, each without its mean."""
    voice_band = band_pass(signal.astype(np.float64), rate_hz)
    size, hop = round(FRAME_S * rate_hz), round(HOP_S * rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(voice_band, size)[::hop]
    return np.asarray(frames - frames.mean(1, keepdims=True))


def active(frames: Values) -> NDArray[np.bool_]:
    """Frames that stand out of the recording's own floor and are not far below its peak."""
    level_db = 10 * np.log10(np.square(frames).mean(1) + NOTHING**2)
    floor_db = np.percentile(level_db, 10)
    threshold_db = max(floor_db + ABOVE_FLOOR_DB, level_db.max() - BELOW_PEAK_DB)
    return np.asarray(level_db > threshold_db)


def periodicity(power: Values, window: Values, rate_hz: int) -> tuple[Values, Values]:
    """How periodic each frame is (1 = perfectly) and at which lag in samples.

    The autocorrelation over that of the window, as Boersma 1993 corrects it. Of lags that are about
    as good the shortest counts, or a steady tone would seem to jump by octaves.
    """
    size = len(window)
    correlation = np.fft.irfft(power, axis=1)[:, :size]
    fading = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * size)) ** 2)[:size]
    shortest, longest = round(rate_hz / PITCH_HZ[1]), round(rate_hz / PITCH_HZ[0]) + 1
    lags = slice(shortest, longest)
    whole = np.maximum(correlation[:, :1], 1e-20)
    corrected = correlation[:, lags] / whole * (fading[0] / fading[lags])
    best = corrected.max(1)
    first = (corrected > 0.95 * best[:, np.newaxis]).argmax(1)
    return best, first.astype(np.float64) + shortest


def purity(power: Values) -> Values:
    """The share of each frame's energy in one narrow peak: near 1 for a whistle or a beep."""
    reach = 4
    sums = np.cumsum(np.pad(power, ((0, 0), (reach + 1, reach))), axis=1)
    around = sums[:, 2 * reach + 1 :] - sums[:, : -2 * reach - 1]
    return np.asarray(around.max(1) / np.maximum(power.sum(1), 1e-20))


def is_speech(signal: Signal, rate_hz: int) -> bool:
    """Whether a voice is in the (n,) mono signal; False for one too short to hold a word.

    Raises ValueError for a signal that is empty, not mono or not finite.
    """
    if checked(signal).size < LEAST_VOICED_S * rate_hz:
        return False
    frames = frames_of(signal, rate_hz)
    frames = frames[active(frames)]
    window = np.hanning(frames.shape[1])
    spectra = np.fft.rfft(frames * window, 2 * frames.shape[1], axis=1)
    power = np.square(np.abs(spectra), dtype=np.float64)
    strength, lag = periodicity(power, window, rate_hz)
    pitch = np.log(lag[(strength > PERIODIC) & (purity(power) < PURE)])
    if len(pitch) * HOP_S < LEAST_VOICED_S:
        return False
    return bool(np.subtract(*np.percentile(pitch, [90, 10])) > LEAST_PITCH_SPREAD)
