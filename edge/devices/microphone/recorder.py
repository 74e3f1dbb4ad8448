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
WAITING_S = 1.0
"""Sound that is kept until a recording begins: enough to recognise a voice in."""
CLOSE_TIMEOUT_S = 1.0
"""A microphone that does not close within this time is left to the end of the process."""


class Sound(NamedTuple):
    """A piece of a recording; the first one is empty: the microphone is open."""

    samples: Signal
    rate_hz: int
    t_ns: int
    """CLOCK_MONOTONIC at its end, ns"""


class Recording:
    """`duration_s` of sound, counted in samples and not by the clock, from `begin` on.

    It keeps the newest sound only: a second until it begins, then `duration_s`.
    """

    def __init__(self, duration_s: float) -> None:
        self.ended = False
        """Set it to have the microphone closed."""
        self.begun = False
        self.rate_hz = 0
        self.end_ns = 0
        """CLOCK_MONOTONIC at the end of the last sound, ns"""
        self._duration_s = duration_s
        self._kept = np.empty(0, np.float32)
        self._received = 0

    def add(self, sound: Sound) -> None:
        self.rate_hz, self.end_ns = sound.rate_hz, sound.t_ns
        self._received += sound.samples.size
        self._keep(np.concatenate([self._kept, sound.samples]))

    def begin(self, lead_s: float) -> None:
        """Let it begin `lead_s` before the end of the last sound, or with the first one."""
        self.begun = True
        self._received = min(self._kept.size, self._samples(lead_s))
        self._keep(self._kept[self._kept.size - self._received :])

    def _keep(self, sound: Signal) -> None:
        limit = self._samples(self._duration_s if self.begun else WAITING_S)
        self._kept = sound[max(0, sound.size - limit) :]

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.rate_hz)

    @property
    def elapsed_s(self) -> float:
        """Since the first sound until it begins; then how long it is."""
        return (self._kept.size if self.begun else self._received) / self.rate_hz

    @property
    def full(self) -> bool:
        return 0 < self._samples(self._duration_s) == self._kept.size and self.begun

    @property
    def moved_s(self) -> float:
        """How much was dropped from its beginning for more at its end."""
        return (self._received - self._kept.size) / self.rate_hz

    def ends(self) -> tuple[Signal, Signal]:
        """Its oldest and its newest piece, as long as one that the microphone gives."""
        size = self._samples(1 / CHUNKS_PER_S)
        return self._kept[:size], self._kept[-size:]

    def signal(self) -> Signal:
        """What is kept, (n,) float32 at `rate_hz`."""
        return self._kept


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
        """Make a recording: `on_sound(recording, sound)` ten times a second until it has ended.

        Or `on_failure(recording, reason)` once.
        """
        self._work.put(partial(self._record, recording, on_sound, on_failure))

    def hangs_at(self, recording: Recording) -> bool:
        """Whether the thread is still busy with `recording` although that has ended."""
        return recording.ended and self._current is recording

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
        """The pieces of `recording` as they come; no more once it has ended."""
        if recording.ended:
            return
        with closing(self._microphone.open()) as stream:
            rate_hz = stream.rate_hz
            yield Sound(np.empty(0, np.float32), rate_hz, time.monotonic_ns())
            while not recording.ended:
                yield Sound(stream.read(rate_hz // CHUNKS_PER_S), rate_hz, time.monotonic_ns())
