"""The last minute: who was there with which emotion, and where a voice was. Pure: times come in.

Its memory is bounded: people, changes a person and recordings beyond MAX_PEOPLE, MAX_CHANGES and
MAX_VOICES are forgotten, the oldest first.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

SPAN_S = 60.0
GAP_S = 0.7
"""A face that is not seen for longer was away."""
MAX_PEOPLE, MAX_CHANGES, MAX_VOICES = 16, 150, 32


class Segment(NamedTuple):
    """A time with one label, s."""

    start_s: float
    end_s: float
    label: str


class Person(NamedTuple):
    """A face's last minute, oldest segment first."""

    id: int
    segments: tuple[Segment, ...]

    @property
    def seen_s(self) -> float:
        """How long it was there."""
        return sum(segment.end_s - segment.start_s for segment in self.segments)


class Timeline:
    """Keeps the last minute of faces and voices."""

    def __init__(self, span_s: float = SPAN_S) -> None:
        self.span_s = span_s
        self._people: dict[int, deque[Segment]] = {}
        self._voices: deque[Segment] = deque(maxlen=MAX_VOICES)

    def add_faces(self, now_s: float, labels: Mapping[int, str]) -> None:
        """These faces (id -> label) were there at `now_s`."""
        for number, label in labels.items():
            segments = self._people.pop(number, None) or deque(maxlen=MAX_CHANGES)
            self._people[number] = segments  # the last one seen stands last
            _extend(segments, now_s, label)
        for number in [n for n, s in self._people.items() if now_s - s[-1].end_s > self.span_s]:
            del self._people[number]
        while len(self._people) > MAX_PEOPLE:
            del self._people[next(iter(self._people))]

    def add_voice(self, start_s: float, end_s: float, label: str) -> None:
        """Somebody spoke; the same recording again changes nothing."""
        if not self._voices or end_s > self._voices[-1].end_s:
            self._voices.append(Segment(start_s, end_s, label))

    def people(self, now_s: float, count: int = MAX_PEOPLE) -> list[Person]:
        """The `count` who were there longest, those who still are first; in the order of ids."""
        known = [
            Person(number, tuple(self._within(segments, now_s)))
            for number, segments in self._people.items()
        ]
        known = [person for person in known if person.segments]
        known.sort(key=lambda p: (now_s - p.segments[-1].end_s > GAP_S, -p.seen_s))
        return sorted(known[:count])

    def voices(self, now_s: float) -> list[Segment]:
        """The recordings in which somebody spoke, oldest first."""
        return self._within(self._voices, now_s)

    def last_seen_s(self) -> float | None:
        """When somebody was last there; None = never, or over a minute ago."""
        return max((segments[-1].end_s for segments in self._people.values()), default=None)

    def _within(self, segments: "deque[Segment]", now_s: float) -> list[Segment]:
        return [s for s in segments if s.end_s > now_s - self.span_s]


def _extend(segments: "deque[Segment]", now_s: float, label: str) -> None:
    last = segments[-1] if segments else None
    if last is None or now_s - last.end_s > GAP_S:
        segments.append(Segment(now_s, now_s, label))
    elif last.label == label:
        segments[-1] = last._replace(end_s=max(last.end_s, now_s))
    else:
        segments.append(Segment(last.end_s, max(last.end_s, now_s), label))
