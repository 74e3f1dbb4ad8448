"""Which frame is shown when, and how old it is then. Pure: knows no socket, screen or clock."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

PATIENCE_S = 0.04
"""A frame is shown without its own faces when it is this old."""
LAG_FRAMES = 15
"""The lag that is shown is the mean of about half a second."""


class Numbered(Protocol):
    """A frame, as far as its turn goes."""

    @property
    def seq(self) -> int: ...

    @property
    def t_ns(self) -> int:
        """When it was taken, CLOCK_MONOTONIC."""


F = TypeVar("F", bound=Numbered)


class FrameQueue(Generic[F]):
    """Frames that wait for their faces. The newest that is ready goes; older ones are let go."""

    def __init__(self) -> None:
        self._frames: list[F] = []
        self.passed_over = 0
        """How many were never taken because a newer one was ready."""

    def add(self, frame: F) -> None:
        """Let a frame wait; it is newer than those that wait already."""
        self._frames.append(frame)

    def take(self, seq: int) -> F | None:
        """The frame with this number, if it waits."""
        return self._take(lambda frame: frame.seq == seq)

    def take_due(self, now_ns: int) -> F | None:
        """The newest frame that has waited long enough."""
        return self._take(lambda frame: now_ns - frame.t_ns >= PATIENCE_S * 1e9)

    def _take(self, is_ready: Callable[[F], bool]) -> F | None:
        ready = [index for index, frame in enumerate(self._frames) if is_ready(frame)]
        if not ready:
            return None
        self.passed_over += ready[-1]
        frame = self._frames[ready[-1]]
        del self._frames[: ready[-1] + 1]
        return frame


class Pace:
    """How many frames come, and how old they are when they are on the screen."""

    def __init__(self) -> None:
        self._came_ns: deque[int] = deque(maxlen=60)
        self._ages_ms: deque[float] = deque(maxlen=300)

    def came(self, now_ns: int) -> None:
        """A frame arrived, CLOCK_MONOTONIC."""
        self._came_ns.append(now_ns)

    def shown(self, age_ms: float) -> None:
        """A frame is on the screen, this long after it was taken."""
        self._ages_ms.append(age_ms)

    @property
    def rate_hz(self) -> float | None:
        """Frames a second, or None before there are two."""
        if len(self._came_ns) < 2:
            return None
        return (len(self._came_ns) - 1) * 1e9 / max(1, self._came_ns[-1] - self._came_ns[0])

    @property
    def lag_ms(self) -> float | None:
        """How old frames usually are by now."""
        last = list(self._ages_ms)[-LAG_FRAMES:]
        return sum(last) / len(last) if last else None

    @property
    def p95_ms(self) -> float | None:
        """The age that 95 % of the last 300 stayed below."""
        ages = sorted(self._ages_ms)
        return ages[int(0.95 * (len(ages) - 1))] if ages else None
