"""Boxes that stand still with a face that does, and keep up with one that moves. Pure.

The 1-euro filter (Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for
Noisy Input in Interactive Systems", CHI 2012): a first-order low-pass whose cutoff rises with the
speed, so that jitter at rest is filtered out and a movement is followed without much lag.
"""

import math

from edge.types import Box

MIN_CUTOFF_HZ = 0.5
"""Of a box at rest. What these three give on a film and on stills: docs/reports/steadiness.md."""
BETA = 15.0
"""Hz more for each side of the box that it moves, or grows, in a second."""
SPEED_CUTOFF_HZ = 1.0
"""Of the speed itself."""


def smoothing_factor(cutoff_hz: float, dt_s: float) -> float:
    """The share of a new sample in a low-pass, 0 to 1."""
    r = 2 * math.pi * cutoff_hz * dt_s
    return r / (r + 1)


class OneEuroFilter:
    """Of one number."""

    def __init__(self, value: float) -> None:
        self.value = self._raw = value
        self._speed = 0.0

    def update(self, raw: float, dt_s: float, unit: float) -> None:
        """The next sample, `dt_s` > 0 after the one before. `unit`: of the speed."""
        speed = (raw - self._raw) / dt_s
        self._raw = raw
        self._speed += smoothing_factor(SPEED_CUTOFF_HZ, dt_s) * (speed - self._speed)
        cutoff_hz = MIN_CUTOFF_HZ + BETA * abs(self._speed) / unit
        self.value += smoothing_factor(cutoff_hz, dt_s) * (raw - self.value)


class BoxFilter:
    """Of a square box: its centre and its side."""

    def __init__(self, box: Box, now_s: float) -> None:
        self._filters = [OneEuroFilter(value) for value in _centred(box)]
        self._at_s = now_s

    def update(self, box: Box, now_s: float) -> None:
        """Where the face was found at `now_s`."""
        if now_s <= self._at_s:
            return
        for one, value in zip(self._filters, _centred(box), strict=True):
            one.update(value, now_s - self._at_s, box[2])
        self._at_s = now_s

    @property
    def box(self) -> Box:
        """Where it is shown."""
        x, y, side = (one.value for one in self._filters)
        return x - side / 2, y - side / 2, side, side


def _centred(box: Box) -> tuple[float, float, float]:
    x, y, w, h = box
    return x + w / 2, y + h / 2, w
