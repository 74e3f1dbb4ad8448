"""Recordings: a thread that owns the microphone, because opening, reading and closing may block.

Knows no messages. Its callbacks are called in the owner's thread, through `call_soon`.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np

from edge.devices.microphone.portaudio import Microphone, MicrophoneError
from edge.types import Signal

CHUNKS_PER_S = 10
CLOSE_TIMEOUT_S = 1.0
"""A microphone that does not close within this time is left to the end of the process."""


class Sound(NamedTuple):
    """A piece of a recording; the first one is empty: the microphone is open."""

    samples: Signal
    rate_hz: int
    t_ns: int
    """CLOCK_MONOTONIC at its end, ns"""


class Recording:
    """One recording of `duration_s`, counted in samples and not by the clock."""

    def __init__(self, duration_s: float) -> None:
        self.cancelled = False
        """Set it to have the microphone closed early."""
        self._duration_s = duration_s
        self._sounds: list[Sound] = []

    def add(self, sound: Sound) -> None:
        self._sounds.append(sound)

    @property
    def rate_hz(self) -> int:
        return self._sounds[0].rate_hz

    @property
    def end_ns(self) -> int:
        """CLOCK_MONOTONIC at the end of the last sound, ns"""
        return self._sounds[-1].t_ns

    @property
    def elapsed_s(self) -> float:
        return self._samples / self.rate_hz

    @property
    def complete(self) -> bool:
        return bool(self._sounds) and self._samples >= self.samples_at(self.rate_hz)

    @property
    def _samples(self) -> int:
        return sum(sound.samples.size for sound in self._sounds)

    def samples_at(self, rate_hz: int) -> int:
        """How many samples the whole recording has."""
        return round(self._duration_s * rate_hz)

    def signal(self) -> Signal:
        """All of it so far, (n,) float32 at `rate_hz`."""
        return np.concatenate([sound.samples for sound in self._sounds])


class Recorder:
    """Makes one recording after the other."""

    def __init__(
        self, microphone: Microphone, call_soon: Callable[[Callable[[], None]], None]
    ) -> None:
        """`call_soon` has the owner's own thread call what it is given."""
        self._microphone = microphone
        self._call_soon = call_soon
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._current: Recording | None = None
        self._waiting_since_s: float | None = None
        self._thread = threading.Thread(target=self._serve, name="microphone", daemon=True)
        self._thread.start()

    @property
    def about(self) -> str:
        """The microphone, in words."""
        return self._microphone.about

    def check(self, on_done: Callable[[str], None]) -> None:
        """Open and close the microphone, then call `on_done("")`, or with what is wrong."""
        self._work.put(partial(self._check, on_done))

    def record(
        self,
        recording: Recording,
        on_sound: Callable[[Recording, Sound], None],
        on_failure: Callable[[Recording, str], None],
    ) -> None:
        """Make a recording: `on_sound(recording, sound)` ten times a second until it is complete.

        Or `on_failure(recording, reason)` once.
        """
        self._work.put(partial(self._record, recording, on_sound, on_failure))

    def hangs_at(self, recording: Recording) -> bool:
        """Whether the thread is still busy with `recording` although that is cancelled."""
        return recording.cancelled and self._current is recording

    def blocked_s(self) -> float:
        """For how long the thread has waited for the microphone; 0 = it has nothing to do."""
        since_s = self._waiting_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def close(self) -> None:
        """End the thread, after the recordings that it has."""
        self._work.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            self._waiting_since_s = time.monotonic()
            job()
            self._waiting_since_s = None

    def _check(self, on_done: Callable[[str], None]) -> None:
        try:
            self._microphone.open().close()
        except MicrophoneError as error:
            self._call_soon(partial(on_done, str(error)))
        else:
            self._call_soon(partial(on_done, ""))

    def _record(
        self,
        recording: Recording,
        on_sound: Callable[[Recording, Sound], None],
        on_failure: Callable[[Recording, str], None],
    ) -> None:
        self._current = recording
        try:
            for sound in self._sounds(recording):
                self._waiting_since_s = time.monotonic()
                self._call_soon(partial(on_sound, recording, sound))
        except MicrophoneError as error:
            self._call_soon(partial(on_failure, recording, str(error)))
        self._current = None

    def _sounds(self, recording: Recording) -> Iterator[Sound]:
        """The pieces of `recording` as they come; no more once it is cancelled."""
        if recording.cancelled:
            return
        with closing(self._microphone.open()) as stream:
            rate_hz = stream.rate_hz
            yield Sound(np.empty(0, np.float32), rate_hz, time.monotonic_ns())
            for size in chunk_sizes(recording.samples_at(rate_hz), rate_hz // CHUNKS_PER_S):
                if recording.cancelled:
                    return
                yield Sound(stream.read(size), rate_hz, time.monotonic_ns())


def chunk_sizes(total: int, size: int) -> Iterator[int]:
    """`total` in pieces of `size`; the last one is what is left."""
    for start in range(0, total, size):
        yield min(size, total - start)
