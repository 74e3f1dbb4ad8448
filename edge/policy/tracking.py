"""Boxes over time: which face is which, its scores over a rolling window, and its hold. Pure.

A face in the place of another one that does not look like it is somebody else, and after a cut all
are. Knows no message, no socket and no clock: times come in.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from edge.policy.smoothing import BoxFilter
from edge.types import Box, Vector

NEAR = 0.8
"""Two boxes may be one face while their centres are nearer than this many sides."""
RESIZED = 2.0
"""... and one is at most this many times the other's size."""
SAME_FACE, SAME_SCENE = 0.6, 0.5
"""The least correlation of two appearances (edge.inference.appearance). Of 6,000 pairs of FER2013's
PublicTest faces 96 % correlate less; a woman's in a film, from frame to frame, at least 0.87."""


@dataclass(frozen=True)
class Detection:
    """A face in one frame."""

    box: Box
    scores: Vector
    look: Vector
    """Its appearance."""


@dataclass(frozen=True)
class Tracked:
    """A face as it is known after a frame."""

    id: int
    box: Box
    """Smoothed."""
    scores: Vector
    """Mean over the window."""
    seen_s: float
    held: bool
    """Not in this frame: where it was last."""


@dataclass(eq=False)
class _Track:
    id: int
    box: Box
    """As it was detected last."""
    shown: BoxFilter
    look: Vector
    seen_s: float
    history: deque[tuple[float, Vector]] = field(default_factory=deque)


class Tracker:
    """Keeps the faces apart from frame to frame."""

    def __init__(self, window_s: float, hold_s: float) -> None:
        """`window_s`: scores are averaged over it. `hold_s`: a lost face stays that much longer."""
        self._window_s = window_s
        self._hold_s = hold_s
        self._tracks: list[_Track] = []
        self._scene: Vector | None = None
        self._next_id = 1

    def update(self, now_s: float, detections: Sequence[Detection], scene: Vector) -> list[Tracked]:
        """The faces after a frame taken at `now_s`, oldest id first. `scene`: its appearance."""
        if self._scene is not None and not looks_alike(self._scene, scene, SAME_SCENE):
            self._tracks = []
        self._scene = scene
        self._tracks = [t for t in self._tracks if now_s - t.seen_s <= self._hold_s]
        matched = match([track.box for track in self._tracks], [d.box for d in detections])
        known = {number: self._tracks[index] for number, index in matched.items()}
        for number, detection in enumerate(detections):
            self._see(now_s, known.get(number), detection)
        return [self._known(track, now_s) for track in self._tracks]

    def _see(self, now_s: float, track: _Track | None, detection: Detection) -> None:
        if track is not None and not looks_alike(track.look, detection.look, SAME_FACE):
            self._tracks.remove(track)
            track = None
        if track is None:
            shown = BoxFilter(detection.box, now_s)
            track = _Track(self._next_id, detection.box, shown, detection.look, now_s)
            self._next_id += 1
            self._tracks.append(track)
        track.box, track.look, track.seen_s = detection.box, detection.look, now_s
        track.shown.update(detection.box, now_s)
        track.history.append((now_s, detection.scores))
        while now_s - track.history[0][0] > self._window_s:
            track.history.popleft()

    def _known(self, track: _Track, now_s: float) -> Tracked:
        scores = np.mean([scores for _, scores in track.history], axis=0, dtype=np.float32)
        return Tracked(track.id, track.shown.box, scores, track.seen_s, track.seen_s < now_s)


def looks_alike(a: Vector, b: Vector, least: float) -> bool:
    """Whether two appearances correlate; where one of them has nothing to compare they may."""
    return bool(a @ b >= least or not a.any() or not b.any())


def match(known: Sequence[Box], seen: Sequence[Box]) -> dict[int, int]:
    """Pair boxes that are likely the same face: {index in `seen`: index in `known`}.

    Greedy, best pair first; each box is used once.
    """
    pairs = (
        (likeness(known[k], seen[s]), k, s) for k, s in product(range(len(known)), range(len(seen)))
    )
    taken: dict[int, int] = {}
    for score, k, s in sorted(pairs, reverse=True):
        if score > 0 and s not in taken and k not in taken.values():
            taken[s] = k
    return taken


def likeness(a: Box, b: Box) -> float:
    """1 for the same box, falling with distance and with the ratio of sizes; 0 = another face."""
    side_a, side_b = math.sqrt(a[2] * a[3]), math.sqrt(b[2] * b[3])
    ratio = max(side_a, side_b) / max(min(side_a, side_b), 1e-6)
    dx = (a[0] + a[2] / 2) - (b[0] + b[2] / 2)
    dy = (a[1] + a[3] / 2) - (b[1] + b[3] / 2)
    distance = math.hypot(dx, dy) / max(side_a, side_b, 1e-6)
    if distance >= NEAR or ratio > RESIZED:
        return 0.0
    return (1 - distance / NEAR) / ratio
