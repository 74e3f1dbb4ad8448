"""Messages of the bus -> the rows that the recorder keeps: one a second for each face. Pure.

A row stands for a second of Unix time by the clock of its *stretch*: a time without a break, in
which the clock was not set and no process gave its faces new numbers. `t` is a row's Unix time, s;
the recorder adds the stretch. Probabilities are kept as whole numbers of 0 to 255.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec.structs import astuple

from edge.bus.excerpts import EmotionExcerpt, FaceExcerpt, FacesExcerpt
from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    NOBODY,
    VOICE_LABELS,
    AudioMessage,
    Change,
    HealthMessage,
    Message,
)

SCALE = 255
"""A probability of 1."""
CLOSE_S = 2.0
"""A second is complete so long after its end: results come late, by the length of an inference."""
HEALTH_S = 10.0
"""A service's detail is kept at most so often, its state always."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "emotion": ("t", "n", "frames", "faces", "emotion", "share", "confidence", *EMOTION_LABELS),
    "face": ("t", "id", "n", "emotion", "share", "confidence", *FACE_LABELS, "x", "y", "w", "h"),
    "voice": (
        *("t", "emotion", "confidence", "speech", "duration_s", "level_dbfs", "trigger"),
        *VOICE_LABELS,
    ),
    "change": ("t", "previous", "emotion", "lasted_s"),
    "health": ("t", "service", "state", "detail"),
    "mark": ("t", "text"),
}
"""{table: its columns}. `n`: how many messages; `share`: of them with this label."""


class Row(NamedTuple):
    table: str
    values: tuple[object, ...]


class Mean:
    """Results of a second; they are summed up when it is over, which is cheaper than one by one."""

    def __init__(self) -> None:
        self.results: list[FaceExcerpt | EmotionExcerpt] = []
        self.nobody = 0
        """Results that are of nobody."""

    @property
    def n(self) -> int:
        return len(self.results) + self.nobody

    def label(self) -> tuple[object, ...]:
        """(the commonest label, its share, its mean confidence)"""
        counted = Counter(map(attrgetter("emotion"), self.results))
        counted[NOBODY] += self.nobody
        label, count = counted.most_common(1)[0]
        if not count:
            return None, None, None
        if label == NOBODY:
            return label, scaled(count / self.n), None
        total = sum([result.confidence for result in self.results if result.emotion == label])
        return label, scaled(count / self.n), scaled(total / count)

    def scores(self, labels: Sequence[str]) -> list[int | None]:
        """The mean of each label; None where it has no score."""
        scores = [astuple(result.scores) for result in self.results]
        columns = [*zip(*scores, strict=True)] or [()] * len(labels)
        return [mean_of(column) for column in columns]

    def box(self) -> list[int]:
        sides = zip(*map(attrgetter("box"), self.results), strict=True)
        return [round(sum(side) / self.n) for side in sides]


def mean_of(column: Sequence[Any]) -> int | None:
    """Of the scores that there are."""
    if None in column:
        column = [score for score in column if score is not None]
    return scaled(sum(column) / len(column)) if column else None


class Second:
    """What came of one second."""

    def __init__(self) -> None:
        self.frames = self.faces = 0
        self.emotion = Mean()
        self.face: dict[int, Mean] = {}

    def rows(self, t: int) -> Iterator[Row]:
        """One of `emotion`, also where nothing came, and one of `face` for each face."""
        faces = round(self.faces / self.frames, 2) if self.frames else None
        means = (*self.emotion.label(), *self.emotion.scores(EMOTION_LABELS))
        yield Row("emotion", (t, self.emotion.n, self.frames, faces, *means))
        for number, mean in self.face.items():
            means = (*mean.label(), *mean.scores(FACE_LABELS), *mean.box())
            yield Row("face", (t, number, mean.n, *means))


class Seconds:
    """Takes messages, gives rows. The clock: Unix time = monotonic time + `offset_s`."""

    def __init__(self, now_s: float, offset_s: float, every_frame: bool = False) -> None:
        """`now_s`: monotonic. `every_frame`: a row of `face` for each frame."""
        self.offset_s = offset_s
        self.next_t = math.floor(now_s + offset_s)
        """Unix time of the first second that is not closed."""
        self.dropped = 0
        """Results that came after their second was closed."""
        self._every_frame = every_frame
        self._open: dict[int, Second] = {}
        self._rows: list[Row] = []
        self._health: dict[str, tuple[str, str, float]] = {}

    def unix_s(self, t_ns: int) -> float:
        """Of a monotonic time."""
        return round(t_ns / 1e9 + self.offset_s, 3)

    def take(self, topic: str, message: Message) -> None:
        """A message of the bus, as edge.bus.excerpts reads it."""
        if isinstance(message, FacesExcerpt):
            self._take_face(message)
        elif isinstance(message, EmotionExcerpt):
            self._take_emotion(message)
        elif isinstance(message, AudioMessage):
            self._take_voice(message)
        elif isinstance(message, Change):
            t = self.unix_s(message.t_ns)
            values = (t, message.previous, message.emotion, message.lasted_s)
            self._rows.append(Row("change", values))
        elif isinstance(message, HealthMessage):
            self._take_health(topic.removeprefix("health."), message)

    def add_mark(self, t_ns: int, text: str) -> None:
        self._rows.append(Row("mark", (self.unix_s(t_ns), text)))

    def _second(self, t_s: float) -> Second | None:
        """None where that second is closed, or before the stretch."""
        t = math.floor(t_s + self.offset_s)
        if t < self.next_t:
            self.dropped += 1
            return None
        if t not in self._open:
            self._open[t] = Second()
        return self._open[t]

    def _take_face(self, message: FacesExcerpt) -> None:
        second = self._second(message.t_ns / 1e9)
        if second is None:
            return
        second.frames += 1
        second.faces += len(message.faces)
        for face in message.faces:
            if self._every_frame:
                self._rows.append(face_row(self.unix_s(message.t_ns), face))
                continue
            mean = second.face.get(face.id)
            if mean is None:
                mean = second.face[face.id] = Mean()
            mean.results.append(face)

    def _take_emotion(self, message: EmotionExcerpt) -> None:
        """By when it was published: one of a voice alone has the voice's capture time for long."""
        second = self._second(message.t_ns / 1e9 + message.age_ms / 1e3)
        if second is None:
            return
        if message.face_age_s is None and message.voice_age_s is None:
            second.emotion.nobody += 1
        else:
            second.emotion.results.append(message)

    def _take_voice(self, message: AudioMessage) -> None:
        scores = message.scores or {}
        confidence = None if message.confidence is None else scaled(message.confidence)
        values = (
            *(self.unix_s(message.t_ns), message.emotion, confidence, int(message.speech)),
            *(message.duration_s, message.level_dbfs, message.trigger),
            *(scaled(scores[name]) if name in scores else None for name in VOICE_LABELS),
        )
        self._rows.append(Row("voice", values))

    def _take_health(self, service: str, message: HealthMessage) -> None:
        """What changed; the detail of a service that is well has figures that always do."""
        state, detail = message.state, "" if message.state == "ok" else message.detail
        was, before, since_s = self._health.get(service, ("", "", -HEALTH_S))
        now_s = message.t_ns / 1e9
        if state != was or (detail != before and now_s - since_s >= HEALTH_S):
            self._health[service] = state, detail, now_s
            self._rows.append(Row("health", (self.unix_s(message.t_ns), service, state, detail)))

    def closed(self, now_s: float, until: int) -> list[Row]:
        """All rows up to the last second that is complete, and to the Unix time `until`.

        `now_s`: monotonic.
        """
        return self._close(min(until, math.floor(now_s + self.offset_s - CLOSE_S)))

    def close(self, now_s: float) -> list[Row]:
        """All rows, with the second that has just begun."""
        return self._close(math.floor(now_s + self.offset_s) + 1)

    def _close(self, until: int) -> list[Row]:
        rows, self._rows = self._rows, []
        for t in range(self.next_t, until):
            rows += self._open.pop(t, Second()).rows(t)
        self.next_t = max(self.next_t, until)
        return rows


def face_row(t: float, face: FaceExcerpt) -> Row:
    """Of one frame."""
    scores = [None if score is None else scaled(score) for score in astuple(face.scores)]
    means = (face.emotion, SCALE, scaled(face.confidence), *scores, *map(round, face.box))
    return Row("face", (t, face.id, 1, *means))


def scaled(probability: float) -> int:
    return round(probability * SCALE)
