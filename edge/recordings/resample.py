"""Lines of another rate: faces and the fused emotion as means of longer (or shorter) times."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from edge.errors import UserError
from edge.policy.decision import valence_arousal
from edge.recordings.table import AT, COLUMNS, SCORES, Line, utc

DECIMALS = 4
LABELS = COLUMNS[SCORES]
MEANS = ("x", "y", "w", "h", "faces")


class Group:
    """Lines of one face, or of the fused emotion, in one step."""

    def __init__(self, line: Line) -> None:
        self._first = line
        self._n = 0
        self._votes: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._weights: Counter[str] = Counter()

    def add(self, line: Line) -> None:
        """Weighted with the number of results that the line stands for."""
        weight = line.cell("n") or 0
        self._n += weight
        if label := line.cell("emotion"):
            self._votes[label] += weight * (line.cell("share") or 0)
        for name in (*LABELS, *MEANS, "confidence"):
            if (value := line.cell(name)) is not None:
                # A second without a fused emotion has its number of faces all the same.
                self._sums[name] += value * max(weight, 1)
                self._weights[name] += max(weight, 1)

    @property
    def zero_s(self) -> float:
        """Unix time of onset 0."""
        return self._first.t - float(self._first.cell("onset_s"))

    def line(self, onset_s: float) -> Line:
        """The mean, of the step that began then."""
        t = round(self.zero_s + onset_s, 3)
        t = int(t) if t == int(t) else t
        cells: list[Any] = list(self._first.cells)
        cells[AT["time"]], cells[AT["utc"]], cells[AT["onset_s"]] = t, utc(t), onset_s
        means = {name: self._sums[name] / self._weights[name] for name in self._sums}
        for name in (*LABELS, "confidence", "faces"):
            cells[AT[name]] = round(means[name], DECIMALS) if name in means else None
        for name in MEANS[:4]:
            cells[AT[name]] = round(means[name]) if name in means else None
        if self._votes:
            label, votes = self._votes.most_common(1)[0]
            cells[AT["emotion"]] = label
            cells[AT["share"]] = round(votes / self._n, DECIMALS) if self._n else None
        scores = {name: means[name] for name in LABELS if name in means}
        if scores:
            cells[AT["valence"]], cells[AT["arousal"]] = valence_arousal(scores)
        cells[AT["n"]] = self._n
        return Line(self._first.kind, t, cells)


def resample(lines: Iterable[Line], step_s: float) -> Iterator[Line]:
    """One line for each face and `step_s`; all other lines as they are.

    Raises UserError where nothing was kept as often.
    """
    groups: dict[Any, Group] = {}
    others: list[Line] = []
    at: tuple[int, float] | None = None
    for line in lines:
        if line.kind not in ("face", "emotion"):
            others.append(line)
            continue
        check_rate(line, step_s)
        onset_s = math.floor(line.cell("onset_s") / step_s + 1e-6) * step_s
        step = line.cell("stretch"), round(onset_s, 3)
        if step != at:
            yield from flush(groups, others, at)
            at = step
        key = line.cell("face") if line.kind == "face" else line.kind
        if key not in groups:
            groups[key] = Group(line)
        groups[key].add(line)
    yield from flush(groups, others, at)


def flush(
    groups: dict[Any, Group], others: list[Line], at: tuple[int, float] | None
) -> Iterator[Line]:
    """What was collected, in order; empties both."""
    if at is not None:
        for group in groups.values():
            yield group.line(at[1])
    yield from others
    groups.clear()
    others.clear()


def check_rate(line: Line, step_s: float) -> None:
    """Raises UserError for faces that were kept once a second, where more is wanted."""
    if step_s < 1 and line.kind == "face" and line.t == int(line.t) and (line.cell("n") or 0) > 1:
        raise UserError(
            f"--rate {1 / step_s:g}: this was kept once a second; "
            'recorder.detail = "frame" keeps each frame'
        )
