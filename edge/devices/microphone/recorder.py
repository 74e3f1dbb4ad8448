"""Recordings: a thread that owns the microphone, because opening, reading and closing may block.

Knows no messages. What it hears it hands over, to be called in the thread of whoever asked.
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
CLOSE_S = 1.0
"""A microphone that does not close within this time is left to the end of the process."""


class Sound(NamedTuple):
    """A piece of a recording; the first one is empty and says that the microphone is open."""

    samples: Signal
    rate_hz: int
    t_ns: int
    """CLOCK_MONOTONIC at its end, ns"""


class Recording:
    """One recording of `duration_s`, counted in samples and not by the clock."""

    def __init__(self, duration_s: float) -> None:
        self.over = False
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
        """CLOCK_MONOTONIC at the end of what there is, ns"""
        return self._sounds[-1].t_ns

    @property
    def elapsed_s(self) -> float:
        return self._samples / self.rate_hz

    @property
    def complete(self) -> bool:
        return bool(self._sounds) and self._samples >= self.wanted(self.rate_hz)

    @property
    def _samples(self) -> int:
        return sum(sound.samples.size for sound in self._sounds)

    def wanted(self, rate_hz: int) -> int:
        """How many samples the whole recording has."""
        return round(self._duration_s * rate_hz)

    def signal(self) -> Signal:
        """What was heard, (n,) float32 at `rate_hz`."""
        return np.concatenate([sound.samples for sound in self._sounds])


class Recorder:
    """Makes one recording after the other."""

    def __init__(
        self, microphone: Microphone, export: Callable[[Callable[[], None]], None]
    ) -> None:
        """`export` has the asker's own thread call what it is given."""
        self._microphone = microphone
        self._hand_over = export
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._at: Recording | None = None
        self._step_s: float | None = None
        self._thread = threading.Thread(target=self._serve, name="microphone", daemon=True)
        self._thread.start()

    @property
    def about(self) -> str:
        """The microphone, in words."""
        return self._microphone.about

    def check(self, done: Callable[[str], None]) -> None:
        """Open and close the microphone, then hand over done("" or what is wrong)."""
        self._work.put(partial(self._check, done))

    def record(
        self,
        take: Recording,
        heard: Callable[[Recording, Sound], None],
        failed: Callable[[Recording, str], None],
    ) -> None:
        """Hand over heard(take, sound) ten times a second of sound, or failed(take, why) once."""
        self._work.put(partial(self._record, take, heard, failed))

    def hangs_at(self, take: Recording) -> bool:
        """Is the thread still at `take`, although that is over?"""
        return take.over and self._at is take

    def blocked_s(self) -> float:
        """For how long the thread has waited for the microphone; 0 = it has nothing to do."""
        step_s = self._step_s
        return 0.0 if step_s is None else time.monotonic() - step_s

    def close(self) -> None:
        """End the thread, after the takes that it has."""
        self._work.put(None)
        self._thread.join(CLOSE_S)

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            self._step_s = time.monotonic()
            job()
            self._step_s = None

    def _check(self, done: Callable[[str], None]) -> None:
        try:
            self._microphone.open().close()
        except MicrophoneError as error:
            self._hand_over(partial(done, str(error)))
        else:
            self._hand_over(partial(done, ""))

    def _record(
        self,
        take: Recording,
        heard: Callable[[Recording, Sound], None],
        failed: Callable[[Recording, str], None],
    ) -> None:
        self._at = take
        try:
            for sound in self._sounds(take):
                self._step_s = time.monotonic()
                self._hand_over(partial(heard, take, sound))
        except MicrophoneError as error:
            self._hand_over(partial(failed, take, str(error)))
        self._at = None

    def _sounds(self, take: Recording) -> Iterator[Sound]:
        """All that `take` wants, as it is heard; no more once it is over."""
        if take.over:
            return
        with closing(self._microphone.open()) as stream:
            rate_hz = stream.rate_hz
            yield Sound(np.empty(0, np.float32), rate_hz, time.monotonic_ns())
            for size in chunk_sizes(take.wanted(rate_hz), rate_hz // CHUNKS_PER_S):
                if take.over:
                    return
                yield Sound(stream.read(size), rate_hz, time.monotonic_ns())


def chunk_sizes(total: int, size: int) -> Iterator[int]:
    """`total` in pieces of `size`; the last one is what is left."""
    for start in range(0, total, size):
        yield min(size, total - start)
