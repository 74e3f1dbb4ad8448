"""Sound as samples: files read, rates converted. Knows no devices and nothing of speech."""

import math
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.errors import UserError

Signal = NDArray[np.float32]
"""(n,) mono, full scale -1..1"""

RATES_HZ = range(8_000, 192_001)
MOST_CHANNELS = 2
HALF_LENGTH = 10
"""The filter's reach in zero crossings either side. It and its window are those of SciPy's
resample_poly, which the tests compare with; scipy.signal itself takes 50 MB and over a second."""
KAISER_BETA = 5.0
BLOCK = 8_192
"""Output samples at a time, so that an hour of sound needs no more memory than a second."""


class SoundError(UserError):
    """A sound file that cannot be used. The message is one line: which, why, and the mend."""


def read_sound(path: Path) -> tuple[Signal, int]:
    """A WAV, FLAC, OGG or MP3 file as (n,) float32 mono (stereo is averaged) and its rate in Hz.

    Raises SoundError for a file that is missing or no sound, has no samples, more than two
    channels, a rate outside 8 to 192 kHz, or samples that are not finite.
    """
    samples, rate_hz = _read(path)
    if not samples.size:
        raise SoundError(f"{path}: it has no samples; record it again")
    if samples.shape[1] > MOST_CHANNELS:
        raise SoundError(f"{path}: it has {samples.shape[1]} channels; convert it to mono")
    if rate_hz not in RATES_HZ:
        raise SoundError(f"{path}: its rate is {rate_hz} Hz; convert it to 16000 Hz")
    if not np.isfinite(samples).all():
        raise SoundError(f"{path}: it has samples that are not finite numbers; export it again")
    return samples.mean(axis=1), rate_hz


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    """((n, channels) float32, rate in Hz)."""
    import soundfile

    if not path.is_file():
        raise SoundError(f"{path}: no such sound file; check the path")
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        why = getattr(error, "error_string", None) or str(error)
        raise SoundError(
            f"{path}: cannot be read ({why.strip().rstrip('.')}); give a WAV, FLAC or OGG file"
        ) from error
    return samples, int(rate_hz)


def resample(signal: Signal, from_hz: int, to_hz: int) -> Signal:
    """The same sound at another rate: (n,) to (ceil(n * to_hz / from_hz),), float32.

    A polyphase FIR filter, a windowed sinc with its cut-off at the lower of the two Nyquist rates.
    """
    common = math.gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    if up == down:
        return signal
    phases = _filter_phases(up, down)
    taps = phases.shape[1]
    count = -(-signal.size * up // down)
    # Positions on the common fine grid, put off by the filter's delay.
    fine = np.arange(count) * down + HALF_LENGTH * max(up, down)
    newest, phase = fine // up, fine % up
    padded = np.pad(signal, (taps - 1, max(0, int(newest[-1]) + 1 - signal.size)))
    windows = sliding_window_view(padded, taps)
    return np.concatenate(
        [
            np.einsum("nk,nk->n", windows[newest[at : at + BLOCK]], phases[phase[at : at + BLOCK]])
            for at in range(0, count, BLOCK)
        ]
    )


def _filter_phases(up: int, down: int) -> NDArray[np.float32]:
    """The low-pass filter's taps, one row for each of the `up` phases, oldest sample first."""
    half = HALF_LENGTH * max(up, down)
    positions = np.arange(-half, half + 1)
    taps = np.sinc(positions / max(up, down)) * np.kaiser(2 * half + 1, KAISER_BETA)
    taps *= up / taps.sum()
    taps = np.pad(taps, (0, -taps.size % up))
    return taps.reshape(-1, up).T[:, ::-1].astype(np.float32)
