"""Kept rows as one table for people: an ordered stream of lines, each of one kind.

A line of `face` is a face in a second (or a frame), one of `emotion` the fused emotion of a
second; voices, changes, marks and health come when they were, and `gap` where nothing was kept.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter, mul
from typing import Any, NamedTuple

from edge.bus.messages import EMOTION_LABELS, FACE_LABELS, VOICE_LABELS
from edge.bus.recordings import Rows
from edge.policy.decision import valence_arousal
from edge.policy.fusion import FROM_VOICE
from edge.policy.seconds import SCALE, TABLES

NOTICE = (
    "Not for emotion recognition at work or in education: prohibited by the EU's AI Act, "
    "Regulation 2024/1689, Article 5(1)(f)"
)
"""In the header of every export."""
COLUMNS = (
    *("time", "utc", "onset_s", "kind", "stretch", "face", "x", "y", "w", "h", "n", "faces"),
    *("emotion", "share", "confidence", "valence", "arousal", *EMOTION_LABELS),
    *("trigger", "speech", "duration_s", "level_dbfs", "previous", "lasted_s"),
    *("service", "state", "text", "gap_s"),
)
MIN_GAP_S = 1.5
"""From one second to the next one that was kept."""
PROBABILITIES: dict[int | None, float | None] = {
    None: None,
    **{value: round(value / SCALE, 4) for value in range(SCALE + 1)},
}
AT = {name: index for index, name in enumerate(COLUMNS)}
SCORES = slice(AT["angry"], AT["calm"] + 1)
NO_BOX, NO_TAIL = [None] * 5, [None] * (len(COLUMNS) - AT["calm"] - 1)
"""Empty cells: from `face` to `h`, and after the scores."""
Feeling = tuple[tuple[float, ...], tuple[float, ...]]
"""What a label's score of 1/SCALE adds to valence, and to arousal."""


def _feeling(labels: Iterable[str]) -> Feeling:
    both = [valence_arousal({label: 1.0}) for label in labels]
    return tuple(v / SCALE for v, _ in both), tuple(a / SCALE for _, a in both)


FEELING, FACE_FEELING = _feeling(EMOTION_LABELS), _feeling(FACE_LABELS)


class Line(NamedTuple):
    kind: str
    t: float
    cells: list[Any]
    """In the order of COLUMNS; None = not known, or nothing that this kind has."""

    def cell(self, column: str) -> Any:
        return self.cells[AT[column]]


@lru_cache(maxsize=2)
def _stamp(second: int) -> str:
    """One second has many lines."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def utc(t: float) -> str:
    """A Unix time as RFC 3339."""
    whole = int(t)
    fraction = f"{t - whole:.3f}"[1:] if t != whole else ""
    return f"{_stamp(whole)}{fraction}Z"


class Table:
    """Makes lines of chunks of rows, in order; remembers where the chunk before ended."""

    def __init__(self, zero_s: float | None) -> None:
        """`zero_s`: Unix time of `onset_s` 0; None = that of the first second."""
        self.zero_s = zero_s
        self.stretches: dict[int, list[Any]] = {}
        """By number, as the table has them: what made the results."""
        self._last: tuple[int, float] | None = None
        self._known: tuple[float, str, float] = (-1.0, "", 0.0)

    def lines(self, chunks: Iterable[Rows]) -> Iterator[Line]:
        for rows in chunks:
            self.stretches.update((row[0], row) for row in rows.get("stretch", []))
            tagged = [(row[0], row[1], name, row) for name in TABLES for row in rows.get(name, [])]
            tagged.sort(key=itemgetter(0, 1))  # stable: a second's emotion before its faces
            for stretch, t, name, row in tagged:
                if name == "emotion":
                    yield from self._gap(stretch, t)
                yield Line(name, t, [*self._head(t), name, stretch, *CELLS[name](row)])

    def _gap(self, stretch: int, t: float) -> Iterator[Line]:
        """What is missing before this second. A clock that was set back leaves no gap."""
        if self._last is not None:
            missing_s = t - self._last[1] - 1
            if missing_s + 1 > MIN_GAP_S:
                begin_s = self._last[1] + 1
                empty = [None] * (AT["gap_s"] - 5)
                yield Line(
                    "gap", begin_s, [*self._head(begin_s), "gap", self._last[0], *empty, missing_s]
                )
        self._last = stretch, t

    def _head(self, t: float) -> tuple[float, str, float]:
        """The first three cells; the lines of a second share them."""
        if t != self._known[0]:
            if self.zero_s is None:
                self.zero_s = t
            self._known = t, utc(t), round(t - self.zero_s, 3)
        return self._known


def _scores(values: list[int | None], feeling: Feeling) -> list[float | None]:
    """Valence, arousal, and the scores."""
    felt: list[float | None] = [None, None]
    if None not in values:
        felt = [round(sum(map(mul, values, axis)), 4) for axis in feeling]
    return [*felt, *[PROBABILITIES[value] for value in values]]


def _emotion(row: list[Any]) -> list[Any]:
    n, _, faces, label, share, confidence = row[2:8]
    means = (PROBABILITIES[share], PROBABILITIES[confidence])
    return [*NO_BOX, n, faces, label, *means, *_scores(row[8:], FEELING), *NO_TAIL]


def _face(row: list[Any]) -> list[Any]:
    number, n, label, share, confidence = row[2:7]
    means = (PROBABILITIES[share], PROBABILITIES[confidence])
    scores = _scores(row[7:14], FACE_FEELING)
    return [number, *row[14:], n, None, label, *means, *scores, None, *NO_TAIL]


def _voice(row: list[Any]) -> list[Any]:
    label, confidence, speech, duration_s, level_dbfs, trigger, *given = row[2:]
    spelled = (FROM_VOICE.get(name, name) for name in VOICE_LABELS)
    scores = dict(zip(spelled, given, strict=True))
    ordered = [scores[name] for name in EMOTION_LABELS]
    means = (label, None, PROBABILITIES[confidence], *_scores(ordered, FEELING))
    return [*NO_BOX, None, None, *means, trigger, speech, duration_s, level_dbfs, *NO_TAIL[4:]]


def _other(**columns: int) -> Callable[[list[Any]], list[Any]]:
    """Of a table without means: {column of the export: column of the row}."""

    def cells(row: list[Any]) -> list[Any]:
        made: list[Any] = [None] * (len(COLUMNS) - 5)
        for name, at in columns.items():
            made[AT[name] - 5] = row[at]
        return made

    return cells


CELLS = {
    "emotion": _emotion,
    "face": _face,
    "voice": _voice,
    "change": _other(previous=2, emotion=3, lasted_s=4),
    "health": _other(service=2, state=3, text=4),
    "mark": _other(text=2),
}
"""{table: what makes the cells after the first five of its row}"""
