"""Sound files as samples, and their rates converted. Knows no devices and nothing of speech."""

import os
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from edge.errors import UserError
from edge.paths import is_file
from edge.types import Signal

RATES_HZ = range(8_000, 192_001)
MAX_CHANNELS = 2
MAX_S = 3600
"""All of a file is held in memory; and a damaged header may claim years."""


class SoundError(UserError):
    """A sound file that cannot be used. The message is one line: which, why, and the fix."""


def read_sound(path: Path) -> tuple[Signal, int]:
    """A WAV, FLAC, OGG or MP3 file as (n,) float32 mono (stereo is averaged) and its rate in Hz.

    Raises SoundError for a file that is missing or no sound, has no samples, more than two
    channels, a rate outside 8 to 192 kHz, samples that are not finite, or more than an hour.
    """
    samples, rate_hz = _read(path)
    if not samples.size:
        raise SoundError(f"{path}: it has no samples; record it again")
    if not np.isfinite(samples).all():
        raise SoundError(f"{path}: it has samples that are not finite numbers; export it again")
    return samples.mean(axis=1), rate_hz


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    """((n, channels) float32, rate in Hz)."""
    import soundfile

    if not is_file(path):
        raise SoundError(f"{path}: no such sound file; check the path")
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            _check(path, file.channels, file.samplerate, file.frames)
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: a name in .raw
        why = getattr(error, "error_string", None) or str(error)
        raise SoundError(
            f"{path}: cannot be read ({why.strip().rstrip('.')}); give a WAV, FLAC or OGG file"
        ) from error


def _check(path: Path, channels: int, rate_hz: int, frames: int) -> None:
    """Raise SoundError for a header with values that are not supported."""
    if channels > MAX_CHANNELS:
        raise SoundError(f"{path}: it has {channels} channels; convert it to mono")
    if rate_hz not in RATES_HZ:
        raise SoundError(f"{path}: its rate is {rate_hz} Hz; convert it to 16000 Hz")
    if frames > MAX_S * rate_hz:
        raise SoundError(f"{path}: it claims {frames / rate_hz / 60:.0f} minutes; cut it to 60")


def resample(signal: Signal, from_hz: int, to_hz: int) -> Signal:
    """The same sound at another rate, through soxr: (n,) to (n * to_hz / from_hz,), float32."""
    return np.asarray(soxr.resample(signal, from_hz, to_hz), np.float32)
