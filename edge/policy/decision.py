"""From scores to a label: the one rule that face, voice and fusion share. Pure."""

from collections.abc import Mapping

from edge.bus.messages import UNCERTAIN
from edge.policy.debounce import Debounced

DECIMALS = 4
"""Digits of a published score."""

HYSTERESIS = 0.03
"""A label that is shown may fall this far below the threshold before it is `uncertain`."""
CONFIRM_S = 0.25
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
        wanted, confidence = decide(scores, self._threshold)
        if self._label is None:
            self._label = Debounced(wanted, now_s)
        shown = self._label.value
        if wanted == UNCERTAIN and scores.get(shown, 0.0) >= self._threshold - HYSTERESIS:
            wanted = shown
        self._label.update(now_s, wanted, CONFIRM_S, LEAST_S)
        label = self._label.value
        return label, scores.get(label, confidence)


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as they are published."""
    return {label: round(float(score), DECIMALS) for label, score in scores.items()}
