"""Sound to numbers: its level, and the MFCC and delta that the networks were trained on.

Training and device run the same code. Signals are float32 mono, full scale -1..1.
"""

from typing import Any

import numpy as np
import python_speech_features as psf
from numpy.typing import NDArray

from edge.inference.card import SpeechFeatures
from edge.types import Signal

SILENCE_DBFS = -120.0
# Every window is brought to this level first: a microphone's gain tells nothing about an emotion.
TARGET_RMS = 0.1
# A floor of noise 60 dB below that, so that a studio's silence and a room's are equal.
FLOOR_RMS = 1e-4
MIN_RMS = 1e-6


def checked(signal: Signal) -> Signal:
    """The signal as float32 (n,). Raises ValueError where it is empty, not mono or not finite."""
    signal = np.asarray(signal, np.float32)
    if signal.ndim != 1:
        raise ValueError(f"a sound of shape {signal.shape}: one channel is needed")
    if not signal.size:
        raise ValueError("a sound with no samples")
    if not np.isfinite(signal).all():
        raise ValueError("a sound with samples that are not finite numbers")
    return signal


def rms(signal: Signal) -> float:
    """Root mean square about the mean: a microphone's constant offset is not sound."""
    return float(np.std(signal, dtype=np.float64))


def level_dbfs(signal: Signal) -> float:
    """The level in dB below full scale (a full square wave is 0); SILENCE_DBFS at the least."""
    return max(SILENCE_DBFS, 20 * float(np.log10(max(rms(checked(signal)), 1e-12))))


def fit_length(signal: Signal, samples: int) -> Signal:
    """The first `samples` of the signal, or the signal and zeros."""
    return np.pad(signal[:samples], (0, max(0, samples - signal.size)))


def loudest_start(signal: Signal, samples: int) -> int:
    """Where the `samples` in a row that hold the most energy begin; 0 if the signal is shorter."""
    if signal.size <= samples:
        return 0
    energy = np.concatenate(([0.0], np.cumsum(np.square(signal, dtype=np.float64))))
    return int(np.argmax(energy[samples:] - energy[:-samples]))


def levelled(signal: Signal) -> Signal:
    """The signal without offset at TARGET_RMS, over a fixed floor of noise."""
    centred = signal - signal.mean(dtype=np.float64)
    floor = np.random.default_rng(0).standard_normal(signal.size) * FLOOR_RMS
    return np.asarray(centred * (TARGET_RMS / max(rms(signal), MIN_RMS)) + floor, np.float32)


def filterbank(settings: SpeechFeatures) -> dict[str, Any]:
    """The card's settings as python_speech_features' arguments, as far as the mel energies."""
    return {
        "samplerate": settings.rate_hz,
        "winlen": settings.frame_s,
        "winstep": settings.hop_s,
        "nfilt": settings.filters,
        "nfft": settings.fft_size,
        "lowfreq": settings.low_hz,
        "highfreq": settings.high_hz,
        "preemph": settings.preemphasis,
        "winfunc": np.hamming,
    }


def features(signal: Signal, settings: SpeechFeatures) -> NDArray[np.float32]:
    """MFCC and their delta side by side, (frames, 2 * coefficients), of the first `window_s`.

    signal: (n,) float32 at `rate_hz`; zeros follow a shorter one. ValueError: see `checked`.
    """
    window = levelled(fit_length(checked(signal), settings.window_samples))
    cepstra = psf.mfcc(
        window,
        numcep=settings.coefficients,
        ceplifter=settings.lifter,
        appendEnergy=False,
        **filterbank(settings),
    )
    return np.hstack([cepstra, psf.delta(cepstra, settings.delta_reach)]).astype(np.float32)
