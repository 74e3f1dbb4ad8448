"""Frames paired with their faces, and their rate and age. Pure: no socket, screen or clock."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

MAX_WAIT_S = 0.04
"""A frame is shown without its own faces when it is this old."""
LAG_FRAMES = 15
"""The lag that is shown is the mean of about half a second."""


class Numbered(Protocol):
    """What the queue needs of a frame."""

    @property
    def seq(self) -> int: ...

    @property
    def t_ns(self) -> int:
        """When it was captured, CLOCK_MONOTONIC."""


F = TypeVar("F", bound=Numbered)


class FrameQueue(Generic[F]):
    """Frames that wait for their faces. The newest that is ready is taken, older ones skipped."""

    def __init__(self) -> None:
        self._frames: list[F] = []
        self.skipped = 0
        """How many were never taken because a newer one was ready."""

    def add(self, frame: F) -> None:
        """Append a frame; it is newer than those that wait already."""
        self._frames.append(frame)

    def take(self, seq: int) -> F | None:
        """The frame with this number, if it waits."""
        return self._take(lambda frame: frame.seq == seq)

    def take_due(self, now_ns: int) -> F | None:
        """The newest frame that has waited long enough."""
        return self._take(lambda frame: now_ns - frame.t_ns >= MAX_WAIT_S * 1e9)

    def _take(self, is_ready: Callable[[F], bool]) -> F | None:
        ready = [index for index, frame in enumerate(self._frames) if is_ready(frame)]
        if not ready:
            return None
        self.skipped += ready[-1]
        frame = self._frames[ready[-1]]
        del self._frames[: ready[-1] + 1]
        return frame


class FrameStats:
    """The rate of the frames, and how old they are when they are on the screen."""

    def __init__(self) -> None:
        self._arrivals_ns: deque[int] = deque(maxlen=60)
        self._ages_ms: deque[float] = deque(maxlen=300)

    def add_arrival(self, now_ns: int) -> None:
        """A frame arrived, CLOCK_MONOTONIC."""
        self._arrivals_ns.append(now_ns)

    def add_shown(self, age_ms: float) -> None:
        """A frame is on the screen, this long after it was captured."""
        self._ages_ms.append(age_ms)

    @property
    def rate_hz(self) -> float | None:
        """Frames a second, or None before there are two."""
        if len(self._arrivals_ns) < 2:
            return None
        return (
            (len(self._arrivals_ns) - 1)
            * 1e9
            / max(1, self._arrivals_ns[-1] - self._arrivals_ns[0])
        )

    @property
    def lag_ms(self) -> float | None:
        """The usual age of a frame on the screen."""
        last = list(self._ages_ms)[-LAG_FRAMES:]
        return sum(last) / len(last) if last else None

    @property
    def p95_ms(self) -> float | None:
        """The age that 95 % of the last 300 stayed below."""
        ages = sorted(self._ages_ms)
        return ages[int(0.95 * (len(ages) - 1))] if ages else None
