"""What a recording shows, as a page of text: what is missing first, then shares and events."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from edge.bus.messages import EMOTION_LABELS, NOBODY, UNCERTAIN
from edge.policy.decision import valence_arousal
from edge.recordings.table import SCORES, Line

MAX_POINTS = 600
PARTS = 10
"""Of the time, in the text."""
TOP = 8
"""Transitions and marks that are shown."""


class Point(NamedTuple):
    """Means of one step."""

    onset_s: float
    scores: dict[str, float]
    """Of the fused emotion; empty = nobody, or nothing was kept."""
    faces: float | None

    @property
    def valence_arousal(self) -> tuple[float, float] | None:
        return valence_arousal(self.scores) if self.scores else None


class Series:
    """Sums over time, in at most MAX_POINTS steps, which grow with the time."""

    def __init__(self) -> None:
        self.step_s = 1.0
        self._steps: dict[int, list[float]] = {}
        """{number: [seconds with scores, the sums of them, seconds with frames, faces]}"""

    def add(self, line: Line) -> None:
        scores, faces = line.cells[SCORES], line.cell("faces")
        step = self._steps.setdefault(int(line.cell("onset_s") // self.step_s), self._empty())
        if scores[0] is not None:
            step[0] += 1
            for index, score in enumerate(scores):
                step[1 + index] += score or 0.0
        if faces is not None:
            step[-2] += 1
            step[-1] += faces
        while len(self._steps) > MAX_POINTS:
            self._double()

    def _empty(self) -> list[float]:
        return [0.0] * (len(EMOTION_LABELS) + 3)

    def _double(self) -> None:
        self.step_s *= 2
        merged: dict[int, list[float]] = {}
        for number, step in self._steps.items():
            old = merged.setdefault(number // 2, self._empty())
            merged[number // 2] = [a + b for a, b in zip(old, step, strict=True)]
        self._steps = merged

    def points(self) -> list[Point]:
        """In order; steps of which nothing was kept are left out."""
        return [
            Point(
                number * self.step_s,
                {
                    label: step[1 + index] / step[0]
                    for index, label in enumerate(EMOTION_LABELS)
                    if step[0]
                },
                step[-1] / step[-2] if step[-2] else None,
            )
            for number, step in sorted(self._steps.items())
        ]

    def parts(self) -> list[list[Point]]:
        """The points in PARTS equal parts of the time; fewer where there are fewer points."""
        points = self.points()
        size = max(1, -(-len(points) // PARTS))
        return [points[at : at + size] for at in range(0, len(points), size)]


class Summary:
    """Counts lines."""

    def __init__(self) -> None:
        self.seconds = 0
        self.missing_s = 0.0
        self.gaps = 0
        self.no_frames = self.no_emotion = self.present = 0
        self.faces_sum = self.most_faces = 0.0
        self.people: set[tuple[int, int]] = set()
        self.stretches: set[int] = set()
        self.shares: Counter[str] = Counter()
        self.transitions: Counter[tuple[str, str]] = Counter()
        self.recordings = 0
        self.voices: Counter[str] = Counter()
        self.marks: list[tuple[float, str]] = []
        self.problems: Counter[str] = Counter()
        self.series = Series()

    def take(self, lines: Iterable[Line]) -> None:
        takes = {
            "emotion": self._take_emotion,
            "face": lambda line: self.people.add((line.cell("stretch"), line.cell("face"))),
            "gap": self._take_gap,
            "voice": self._take_voice,
            "change": self._take_change,
            "mark": self._take_mark,
            "health": self._take_health,
        }
        for line in lines:
            takes[line.kind](line)

    def _take_emotion(self, line: Line) -> None:
        self.seconds += 1
        self.stretches.add(line.cell("stretch"))
        emotion, faces = line.cell("emotion"), line.cell("faces")
        if emotion is None:
            self.no_emotion += 1
        else:
            self.shares[emotion] += 1
        self.no_frames += faces is None
        if faces:
            self.present += 1
            self.faces_sum += faces
            self.most_faces = max(self.most_faces, faces)
        self.series.add(line)

    def _take_gap(self, line: Line) -> None:
        self.gaps += 1
        self.missing_s += line.cell("gap_s")

    def _take_voice(self, line: Line) -> None:
        self.recordings += 1
        if line.cell("emotion") is not None:
            self.voices[line.cell("emotion")] += 1

    def _take_mark(self, line: Line) -> None:
        self.marks.append((line.cell("onset_s"), " ".join(line.cell("text").split())))

    def _take_change(self, line: Line) -> None:
        self.transitions[line.cell("previous"), line.cell("emotion")] += 1

    def _take_health(self, line: Line) -> None:
        if line.cell("state") != "ok":
            self.problems[f"{line.cell('service')}: {line.cell('text')}"] += 1

    def text(self) -> list[str]:
        """Lines of at most 100 characters or so."""
        if not self.seconds:
            return ["nothing was recorded"]
        return [
            *self._missing(),
            "",
            *self._presence(),
            "",
            *self._shares(),
            "",
            *self._course(),
            *self._events(),
        ]

    @property
    def whole_s(self) -> float:
        """With what is missing."""
        return self.seconds + self.missing_s

    def _missing(self) -> list[str]:
        lines = [f"recorded     {clock(self.seconds)} of {clock(self.whole_s)}"]
        what = [(self.no_frames, "without a frame looked at"), (self.no_emotion, "without fusion")]
        gaps = f"{self.gaps} gap{'s' * (self.gaps != 1)}, {clock(self.missing_s)}"
        missing = [gaps] if self.gaps else []
        missing += [f"{clock(count)} {text}" for count, text in what if count]
        lines.append(f"missing      {'; '.join(missing) or 'nothing'}")
        lines += [f"problem      {text}" for text, _ in self.problems.most_common(TOP)]
        return lines

    def _presence(self) -> list[str]:
        share = self.present / self.seconds
        mean = self.faces_sum / self.present if self.present else 0.0
        return [
            f"faces        {100 * share:.1f}% of what was recorded; then {mean:.1f} on average, "
            f"at most {self.most_faces:.1f}; {len(self.people)} tracks"
        ]

    def _shares(self) -> list[str]:
        """Of the whole time: the labels, and then what is none; together 100 %."""
        others = {
            UNCERTAIN: self.shares[UNCERTAIN],
            NOBODY: self.shares[NOBODY],
            "no fusion": self.no_emotion,
            "missing": self.missing_s,
        }
        labels = [one for one in self.shares.most_common() if one[0] not in others and one[1]]
        lines = ["of the whole time"]
        for label, seconds in [*labels, *others.items()]:
            share = seconds / self.whole_s
            bar = "█" * round(30 * share)
            lines.append(f"{label:<12} {100 * share:5.1f}%  {clock(seconds):>8}  {bar}".rstrip())
        return lines

    def _course(self) -> list[str]:
        """Valence and arousal over time."""
        lines = [f"{'from':>8}  {'valence':>8} {'arousal':>8} {'faces':>6}  most of the time"]
        for part in self.series.parts():
            felt = [both for point in part if (both := point.valence_arousal) is not None]
            faces = [point.faces for point in part if point.faces is not None]
            means = [f"{mean(column):+.2f}" for column in zip(*felt, strict=True)] or ["-", "-"]
            number = f"{mean(faces):.1f}" if faces else "-"
            lines.append(
                f"{clock(part[0].onset_s):>8}  {means[0]:>8} {means[1]:>8} {number:>6}  "
                f"{strongest(part)}"
            )
        return lines

    def _events(self) -> list[str]:
        lines = []
        if self.transitions:
            lines += ["", f"changes      {sum(self.transitions.values())}"]
            for (previous, emotion), count in self.transitions.most_common(TOP):
                lines.append(f"{count:>5}        {previous} → {emotion}")
        if self.recordings:
            voices = ", ".join(f"{count} {label}" for label, count in self.voices.most_common())
            counted = f"{self.recordings} recording{'s' * (self.recordings != 1)}"
            lines += ["", f"voice        {counted}: {voices or 'nobody spoke'}"]
        if self.marks:
            lines.append("")
            lines += [f"mark         {clock(at)}  {text}" for at, text in self.marks[:TOP]]
            if len(self.marks) > TOP:
                lines.append(f"             and {len(self.marks) - TOP} more")
        return lines


def strongest(part: list[Point]) -> str:
    """The label with the highest mean score."""
    sums: Counter[str] = Counter()
    for point in part:
        sums.update(point.scores)
    return max(sums, key=lambda label: sums[label]) if sums else NOBODY


def mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)


def clock(seconds: float) -> str:
    """h:mm:ss"""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
