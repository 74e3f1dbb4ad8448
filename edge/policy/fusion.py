"""Face and voice to one emotion. Pure: what is known and how old it is comes in.

Late fusion by log-linear pooling. With p_m the calibrated scores of a modality m over n labels and
r_m(c) its reliability for the label c (0..1, fitted to the two networks together on validation
data by `training.fusion.fit`),

    e_m(c) = log(n * p_m(c))                   evidence against the uniform prior
    p(c)  ~ exp( (1 - w * (1 - r_face(c))) * e_face(c) + w * r_voice(c) * e_voice(c) )

with the weight w = 0.5 ** (age of the voice / half-life): an old recording counts less, until the
face counts as if it were alone. A modality that is missing adds nothing. A face alone is passed on
unchanged; a voice alone is p(c) ~ exp(w * e_voice(c)): unchanged while it is fresh, and the older
it is the nearer to uniform. The face knows no `calm`: calm and neutral are pooled as one label and
parted afterwards as the voice parts them. Source of the rule: Heskes, "Selecting weighting factors
in logarithmic opinion pools", NIPS 1997. docs/fusion.md has what it was measured to give.
"""

import math
from dataclasses import dataclass

from edge.bus.messages import EMOTION_LABELS, FACE_LABELS
from edge.types import Scores

FROM_VOICE = {"fearful": "fear", "surprised": "surprise"}
"""Voice labels that the bus's `emotion` spells otherwise."""
LEAST = 1e-4
"""Scores below this count as this much: a zero is not proof."""


@dataclass(frozen=True)
class Opinion:
    """One modality's scores, and how old they are."""

    scores: Scores
    """{label: p} in the modality's own labels, sums to 1."""
    age_s: float


@dataclass(frozen=True)
class Rules:
    """How much each modality is believed."""

    face_reliability: Scores
    """{face label: 0..1}"""
    voice_reliability: Scores
    """{voice label: 0..1}"""
    voice_half_life_s: float


def fuse(face: Opinion | None, voice: Opinion | None, rules: Rules) -> dict[str, float]:
    """Scores over EMOTION_LABELS, summing to 1; uniform where nothing is known."""
    if face is None and voice is None:
        return dict.fromkeys(EMOTION_LABELS, 1 / len(EMOTION_LABELS))
    if voice is None:
        assert face is not None
        return {label: face.scores.get(label, 0.0) for label in EMOTION_LABELS}
    voice_scores = in_emotion_labels(voice.scores)
    if face is None:
        return _faded(voice_scores, _weight(voice.age_s, rules))
    pooled = _pool(face, voice_scores, voice.age_s, rules)
    return _part_calm(pooled, voice_scores)


def in_emotion_labels(voice_scores: Scores) -> dict[str, float]:
    """A voice's scores (or reliabilities), spelled as the `emotion` topic spells them."""
    spelled = {FROM_VOICE.get(label, label): p for label, p in voice_scores.items()}
    return {label: spelled.get(label, 0.0) for label in EMOTION_LABELS}


def _weight(voice_age_s: float, rules: Rules) -> float:
    """1 for what was said just now; a half after the half-life."""
    return float(0.5 ** (max(voice_age_s, 0.0) / rules.voice_half_life_s))


def _faded(scores: Scores, weight: float) -> dict[str, float]:
    """Unchanged for a weight of 1, uniform for 0."""
    return _softmax({label: weight * math.log(max(p, LEAST)) for label, p in scores.items()})


def _pool(
    face: Opinion, voice_scores: Scores, voice_age_s: float, rules: Rules
) -> dict[str, float]:
    """Log-linear pooling over the seven face labels; the voice's calm counts as neutral."""
    weight = _weight(voice_age_s, rules)
    trust = in_emotion_labels(rules.voice_reliability)
    voice7 = {label: voice_scores[label] for label in FACE_LABELS}
    voice7["neutral"] += voice_scores["calm"]
    doubt = {label: weight * (1 - rules.face_reliability.get(label, 1.0)) for label in FACE_LABELS}
    logits = {
        label: (1 - doubt[label]) * _evidence(face.scores.get(label, 0.0))
        + weight * trust[label] * _evidence(voice7[label])
        for label in FACE_LABELS
    }
    return _softmax(logits)


def _evidence(p: float) -> float:
    return math.log(max(p, LEAST) * len(FACE_LABELS))


def _softmax(logits: Scores) -> dict[str, float]:
    highest = max(logits.values())
    exponentials = {label: math.exp(value - highest) for label, value in logits.items()}
    total = sum(exponentials.values())
    return {label: value / total for label, value in exponentials.items()}


def _part_calm(pooled: Scores, voice_scores: Scores) -> dict[str, float]:
    """Give `calm` the part of `neutral` that the voice gives it."""
    both = voice_scores["neutral"] + voice_scores["calm"]
    calm = pooled["neutral"] * voice_scores["calm"] / both if both > 0 else 0.0
    return {**pooled, "neutral": pooled["neutral"] - calm, "calm": calm}
