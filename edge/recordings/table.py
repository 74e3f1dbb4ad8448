"""Kept rows as one table for people: an ordered stream of lines, each of one kind.

A line of `face` is a face in a second (or a frame), one of `emotion` the fused emotion of a
second; voices, changes, marks and health come when they were, and `gap` where nothing was kept.
"""

import time
from collections.abc import Iterable, Iterator
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
PROBABILITIES = [round(value / SCALE, 4) for value in range(SCALE + 1)]
AT = {name: index for index, name in enumerate(COLUMNS)}
SCORES = slice(AT["angry"], AT["calm"] + 1)
AT_FACE, AT_N, AT_VALENCE = AT["face"], AT["n"], AT["valence"]
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

    def lines(self, chunks: Iterable[Rows]) -> Iterator[Line]:
        for rows in chunks:
            self.stretches.update((row[0], row) for row in rows.get("stretch", []))
            tagged = [(row[0], row[1], name, row) for name in TABLES for row in rows.get(name, [])]
            tagged.sort(key=itemgetter(0, 1))  # stable: a second's emotion before its faces
            for stretch, t, name, row in tagged:
                if name == "emotion":
                    yield from self._gap(stretch, t)
                yield self._line(name, stretch, t, row[2:])

    def _gap(self, stretch: int, t: float) -> Iterator[Line]:
        """What is missing before this second. A clock that was set back leaves no gap."""
        if self._last is not None:
            missing_s = t - self._last[1] - 1
            if missing_s + 1 > MIN_GAP_S:
                cells = self._cells("gap", self._last[0], self._last[1] + 1)
                cells[AT["gap_s"]] = missing_s
                yield Line("gap", self._last[1] + 1, cells)
        self._last = stretch, t

    def _cells(self, kind: str, stretch: int, t: float) -> list[Any]:
        if self.zero_s is None:
            self.zero_s = t
        cells: list[Any] = [None] * len(COLUMNS)
        cells[:5] = t, utc(t), round(t - self.zero_s, 3), kind, stretch
        return cells

    def _line(self, name: str, stretch: int, t: float, values: list[Any]) -> Line:
        cells = self._cells(name, stretch, t)
        FILL[name](cells, values)
        return Line(name, t, cells)


def _put_scores(
    cells: list[Any], labels: tuple[str, ...], values: list[int | None], feeling: Feeling
) -> None:
    """The scores of labels that EMOTION_LABELS begins with."""
    cells[SCORES] = [None if v is None else PROBABILITIES[v] for v in values] + [None] * (
        len(EMOTION_LABELS) - len(labels)
    )
    if None not in values:
        cells[AT_VALENCE] = round(sum(map(mul, values, feeling[0])), 4)
        cells[AT_VALENCE + 1] = round(sum(map(mul, values, feeling[1])), 4)


def _probability(value: int | None) -> float | None:
    return None if value is None else PROBABILITIES[value]


def _fill_emotion(cells: list[Any], values: list[Any]) -> None:
    cells[AT_N:AT_VALENCE] = (
        *(values[0], values[2], values[3]),
        *(_probability(values[4]), _probability(values[5])),
    )
    _put_scores(cells, EMOTION_LABELS, values[6:], FEELING)


def _fill_face(cells: list[Any], values: list[Any]) -> None:
    cells[AT_FACE : AT_N + 1] = values[0], *values[12:], values[1]
    cells[AT_N + 2 : AT_VALENCE] = values[2], _probability(values[3]), _probability(values[4])
    _put_scores(cells, FACE_LABELS, values[5:12], FACE_FEELING)


def _fill_voice(cells: list[Any], values: list[Any]) -> None:
    emotion, confidence, speech, duration_s, level_dbfs, trigger, *scores = values
    cells[AT["emotion"]], cells[AT["confidence"]] = emotion, _probability(confidence)
    cells[AT["trigger"] : AT["level_dbfs"] + 1] = trigger, speech, duration_s, level_dbfs
    spelled = (FROM_VOICE.get(label, label) for label in VOICE_LABELS)
    by_label = dict(zip(spelled, scores, strict=True))
    _put_scores(cells, EMOTION_LABELS, [by_label[name] for name in EMOTION_LABELS], FEELING)


def _fill_change(cells: list[Any], values: list[Any]) -> None:
    cells[AT["previous"]], cells[AT["emotion"]], cells[AT["lasted_s"]] = values


def _fill_health(cells: list[Any], values: list[Any]) -> None:
    cells[AT["service"] : AT["text"] + 1] = values


def _fill_mark(cells: list[Any], values: list[Any]) -> None:
    cells[AT["text"]] = values[0]


FILL = {
    "emotion": _fill_emotion,
    "face": _fill_face,
    "voice": _fill_voice,
    "change": _fill_change,
    "health": _fill_health,
    "mark": _fill_mark,
}
