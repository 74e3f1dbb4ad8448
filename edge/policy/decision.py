"""From scores to what is published: the label, valence and arousal. Pure."""

from collections.abc import Mapping

from edge.bus.messages import UNCERTAIN
from edge.policy.debounce import Debounced

DECIMALS = 4
"""Digits of a published score."""
RATINGS = {
    "angry": (2.53, 6.20),
    "disgust": (2.68, 4.89),
    "fear": (2.66, 5.45),
    "happy": (8.47, 6.05),
    "neutral": (5.50, 3.45),
    "sad": (2.10, 3.49),
    "surprise": (6.57, 5.95),
    "calm": (6.89, 1.67),
}
"""{label: (valence, arousal)} from 1 to 9: what people felt at the words angry, disgusted, fearful,
happy, neutral, sad, surprised and calm. Means of all raters (V.Mean.Sum, A.Mean.Sum) in the table
of Warriner, Kuperman & Brysbaert, "Norms of valence, arousal, and dominance for 13,915 English
lemmas", Behavior Research Methods 45 (2013), 1191-1207, doi 10.3758/s13428-012-0314-x."""
MIDDLE, REACH = (5.0, 5.0), 4.0
"""Of the scale from 1 to 9."""

HYSTERESIS = 0.04
"""The label that is shown counts for so much more, against the others and against the threshold.
These three were chosen by a film and faces that talk: docs/reports/steadiness.md."""
CONFIRM_S = 0.2
"""Another label has to be the best one for this long without a break,"""
LEAST_S = 0.5
"""and the one before it to have been shown for this long."""


def decide(scores: Mapping[str, float], threshold: float) -> tuple[str, float]:
    """The best label and its score; `uncertain` where the best is below `threshold`."""
    best = max(scores, key=lambda label: scores[label])
    confidence = scores[best]
    return (best if confidence >= threshold else UNCERTAIN), confidence


class SteadyLabel:
    """The label of a face, or of all there is, over time: without blinking."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._label: Debounced[str] | None = None

    def update(self, now_s: float, scores: Mapping[str, float]) -> tuple[str, float]:
        """The label and its score (the best one for `uncertain`). The first scores decide at once.

        The score of a label that another one is about to replace may be lower than the best.
        """
        best = max(scores.values())
        if self._label is None:
            self._label = Debounced(decide(scores, self._threshold)[0], now_s)
        shown = self._label.value
        favoured = {label: p + HYSTERESIS * (label == shown) for label, p in scores.items()}
        wanted, _ = decide(favoured, self._threshold)
        self._label.update(now_s, wanted, CONFIRM_S, LEAST_S)
        label = self._label.value
        return label, scores.get(label, best)


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as they are published."""
    return {label: round(float(score), DECIMALS) for label, score in scores.items()}


def valence_arousal(scores: Mapping[str, float]) -> tuple[float, float]:
    """Valence and arousal, each from -1 to 1: the labels' ratings, weighted with the scores.

    v = sum over the labels c of p(c) * (rating(c) - 5) / 4. A label without ratings adds nothing.
    """
    return _weighted(scores, 0), _weighted(scores, 1)


def _weighted(scores: Mapping[str, float], axis: int) -> float:
    ratings = ((p, RATINGS.get(label, MIDDLE)[axis]) for label, p in scores.items())
    total = sum(p * (rating - MIDDLE[axis]) for p, rating in ratings)
    return round(total / REACH, DECIMALS)
