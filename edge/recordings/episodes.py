"""Lines as episodes: how long an emotion lasted, when somebody spoke, what was marked."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edge.recordings.table import Line

MARK_S = 2.0
"""How long a mark is shown where something has to last."""
KINDS = ("emotion", "voice", "mark", "gap")


class Episode(NamedTuple):
    onset_s: float
    duration_s: float
    kind: str
    """One of KINDS."""
    value: str
    """The emotion, or the text of a mark."""
    confidence: float | None = None
    faces: float | None = None
    """The mean number."""


class Running:
    """Seconds of one emotion, one after the other."""

    def __init__(self, line: Line) -> None:
        self.value: str | None = line.cell("emotion")
        self._onset_s = line.cell("onset_s")
        self._end_s = self._onset_s
        self._confidences: list[float] = []
        self._faces: list[float] = []
        self._stretch = line.cell("stretch")

    def continues(self, line: Line) -> bool:
        is_next = 0 <= line.cell("onset_s") - self._end_s < 0.5
        same = line.cell("emotion") == self.value and line.cell("stretch") == self._stretch
        return bool(is_next and same)

    def add(self, line: Line, step_s: float) -> None:
        self._end_s = line.cell("onset_s") + step_s
        for name, values in (("confidence", self._confidences), ("faces", self._faces)):
            if (value := line.cell(name)) is not None:
                values.append(value)

    def episode(self) -> Episode:
        duration_s = round(self._end_s - self._onset_s, 3)
        confidence, faces = mean(self._confidences), mean(self._faces)
        return Episode(self._onset_s, duration_s, "emotion", self.value or "", confidence, faces)


def episodes(lines: Iterable[Line], step_s: float = 1.0) -> Iterator[Episode]:
    """Ordered by onset. `step_s`: how long a line of `emotion` stands for."""
    running: Running | None = None
    waiting: list[Episode] = []
    for line in lines:
        if line.kind == "emotion":
            if running is None or not running.continues(line):
                yield from ended(running, waiting)
                running = Running(line)
            running.add(line, step_s)
        elif (episode := episode_of(line)) is not None:
            waiting.append(episode)
    yield from ended(running, waiting)


def ended(running: Running | None, waiting: list[Episode]) -> list[Episode]:
    """The emotion and what happened meanwhile; empties `waiting`."""
    # A second without any fused emotion is nothing that could be named.
    named = [running.episode()] if running is not None and running.value else []
    found = sorted([*named, *waiting], key=lambda episode: episode.onset_s)
    waiting.clear()
    return found


def episode_of(line: Line) -> Episode | None:
    """Of a voice, a mark or a gap; None for all other lines."""
    onset_s = line.cell("onset_s")
    if line.kind == "voice":
        duration_s = line.cell("duration_s")
        value = line.cell("emotion") or "no speech"
        begin_s = max(0.0, round(onset_s - duration_s, 3))
        return Episode(begin_s, duration_s, "voice", value, line.cell("confidence"))
    if line.kind == "mark":
        return Episode(max(0.0, onset_s), 0.0, "mark", line.cell("text"))
    if line.kind == "gap":
        return Episode(onset_s, line.cell("gap_s"), "gap", "")
    return None


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
