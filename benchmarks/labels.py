"""Labels over time: what was shown for how long, and how much later than by another rule."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

REAL_S = 0.4
"""A change is real where the labels before and after it both last this long by the rule before."""


class Run(NamedTuple):
    """A label, and from when to when it was shown, s."""

    label: str
    start_s: float
    end_s: float

    @property
    def lasts_s(self) -> float:
        return self.end_s - self.start_s


def runs(labels: Sequence[tuple[float, str]]) -> list[Run]:
    """What was shown from when to when, of (s, label) in order."""
    groups = [list(group) for _, group in itertools.groupby(labels, key=lambda one: one[1])]
    starts = [group[0][0] for group in groups]
    ends = [*starts[1:], labels[-1][0]]
    return [Run(group[0][1], *at) for group, *at in zip(groups, starts, ends, strict=True)]


def delays(before: Sequence[Run], after: Sequence[Run]) -> list[float]:
    """How much later each real change is shown, s; inf where it never is."""
    pairs = itertools.pairwise(before)
    real = [new for old, new in pairs if min(old.lasts_s, new.lasts_s) >= REAL_S]
    return [delay(new, after) for new in real]


def delay(new: Run, after: Sequence[Run]) -> float:
    shown = (one for one in after if one.label == new.label and one.end_s > new.start_s)
    return max(0.0, next((one.start_s - new.start_s for one in shown), float("inf")))


def shortest(found: Sequence[Run]) -> str:
    """The last one goes on."""
    lasting = [run.lasts_s for run in found[:-1]]
    return f"{len(found)} labels, the shortest {min(lasting):.2f} s" if lasting else "1 label"


def label_rates(before: list[Run], after: list[Run]) -> tuple[float, float]:
    """Changes a second."""
    duration_s = before[-1].end_s
    return (len(before) - 1) / duration_s, (len(after) - 1) / duration_s
