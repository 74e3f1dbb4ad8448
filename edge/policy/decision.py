"""From scores to a label: the one rule that face, voice and fusion share. Pure."""

from collections.abc import Mapping

from edge.bus.messages import UNCERTAIN

DECIMALS = 4
"""Digits of a published score."""


def decide(scores: Mapping[str, float], threshold: float) -> tuple[str, float]:
    """The best label and its score; `uncertain` where the best is below `threshold`."""
    best = max(scores, key=lambda label: scores[label])
    confidence = scores[best]
    return (best if confidence >= threshold else UNCERTAIN), confidence


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as they are published."""
    return {label: round(float(score), DECIMALS) for label, score in scores.items()}
