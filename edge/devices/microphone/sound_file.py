"""Sound files as samples, and their rates converted. Knows no devices and nothing of speech."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import soxr

from edge.errors import UserError
from edge.paths import is_file
from edge.types import Signal

RATES_HZ = range(8_000, 192_001)
MAX_CHANNELS = 2
MAX_S = 3600
"""A damaged header may claim years."""


class SoundError(UserError):
    """A sound file that cannot be used. The message is one line: which, why, and the fix."""


def read_sound(path: Path) -> tuple[Signal, int]:
    """All of a file, (n,) float32, and its rate in Hz. Raises SoundError, as SoundFile does."""
    with closing(SoundFile(path)) as file:
        return np.concatenate(list(file.seconds())), file.rate_hz


class SoundFile:
    """A WAV, FLAC, OGG or MP3 file, read in pieces, as mono (stereo is averaged).

    Raises SoundError for a file that is missing or no sound, has no samples, more than two
    channels, a rate outside 8 to 192 kHz, samples that are not finite, or more than an hour.
    """

    def __init__(self, path: Path) -> None:
        import soundfile

        if not is_file(path):
            raise SoundError(f"{path}: no such sound file; check the path")
        self._path = path
        # ValueError: a kind of file that soundfile cannot seek in; TypeError: a name in .raw
        self._errors = (soundfile.LibsndfileError, OSError, TypeError, ValueError)
        try:
            self._file = soundfile.SoundFile(os.fsencode(path))
        except self._errors as error:
            raise self._unreadable(error) from error
        self.rate_hz: int = self._file.samplerate
        self.samples_read = 0
        _check(path, self._file.channels, self.rate_hz, self._file.frames)

    def read(self, samples: int) -> Signal:
        """The next `samples`, (n,) float32; fewer at the end."""
        try:
            part = self._file.read(samples, dtype="float32", always_2d=True)
        except self._errors as error:
            raise self._unreadable(error) from error
        self.samples_read += len(part)
        if not self.samples_read:
            raise SoundError(f"{self._path}: it has no samples; record it again")
        if self.samples_read > MAX_S * self.rate_hz:
            raise _too_long(self._path, self.samples_read, self.rate_hz)
        if not np.isfinite(part).all():
            raise SoundError(
                f"{self._path}: it has samples that are not finite numbers; export it again"
            )
        return np.asarray(part.mean(axis=1), np.float32)

    def seconds(self) -> Iterator[Signal]:
        """The rest of it, a second at a time."""
        while True:
            part = self.read(self.rate_hz)
            yield part
            if part.size < self.rate_hz:
                return

    def resampled(self, to_hz: int) -> Iterator[Signal]:
        """`seconds` at another rate; together they are what `resample` makes of the whole."""
        if self.rate_hz == to_hz:
            yield from self.seconds()
            return
        stream = soxr.ResampleStream(self.rate_hz, to_hz, 1, dtype="float32")
        for part in self.seconds():
            yield stream.resample_chunk(part, last=part.size < self.rate_hz)

    def close(self) -> None:
        self._file.close()

    def _unreadable(self, error: Exception) -> SoundError:
        why = getattr(error, "error_string", None) or str(error)
        return SoundError(
            f"{self._path}: cannot be read ({why.strip().rstrip('.')}); "
            "give a WAV, FLAC or OGG file"
        )


def _check(path: Path, channels: int, rate_hz: int, frames: int) -> None:
    """Raise SoundError for a header with values that are not supported."""
    if channels > MAX_CHANNELS:
        raise SoundError(f"{path}: it has {channels} channels; convert it to mono")
    if rate_hz not in RATES_HZ:
        raise SoundError(f"{path}: its rate is {rate_hz} Hz; convert it to 16000 Hz")
    if frames > MAX_S * rate_hz:
        raise _too_long(path, frames, rate_hz)


def _too_long(path: Path, samples: int, rate_hz: int) -> SoundError:
    return SoundError(f"{path}: it claims {samples / rate_hz / 60:.0f} minutes; cut it to 60")


def resample(signal: Signal, from_hz: int, to_hz: int) -> Signal:
    """The same sound at another rate, through soxr: (n,) to (n * to_hz / from_hz,), float32."""
    return np.asarray(soxr.resample(signal, from_hz, to_hz), np.float32)
