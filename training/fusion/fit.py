"""Fits how much face and voice count, label by label, on validation data. Pure.

Scores are (n, 7) in the order of FACE_LABELS. A pair is a face and a voice by their rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from edge.bus.messages import FACE_LABELS
from edge.policy.fusion import FROM_VOICE, LEAST

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]
Random = np.random.Generator

PAIRS = 6000
COST = 0.005
"""A wrong voice may cost so much of the face's accuracy on the people who are fitted on.

The bar is 0.02 for others, whose voices cost more: of a fit with 0.008, 0.014 with one of the
actors at a time left out of it, and 0.021 on the actors of the test.
"""
SHARES_WRONG = np.arange(0, 1, 0.05)
LABELS = len(FACE_LABELS)


@dataclass(frozen=True)
class Pairs:
    """Rows of faces (n,) and of voices (n,), and what is true, (n,)."""

    faces: Rows
    voices: Rows
    truth: Rows


@dataclass(frozen=True)
class Reliabilities:
    """Each (7,), 0 to 1."""

    face: Scores
    voice: Scores


def face_label(voice_label: str) -> int:
    """A voice's label among the face's; calm counts as neutral."""
    name = FROM_VOICE.get(voice_label, voice_label)
    return FACE_LABELS.index("neutral" if name == "calm" else name)


def seven(scores: Scores, voice_labels: tuple[str, ...]) -> Scores:
    """A voice's scores (n, 8) as the face counts, (n, 7)."""
    summed = np.zeros((len(scores), LABELS))
    for column, label in zip(scores.T, voice_labels, strict=True):
        summed[:, face_label(label)] += column
    return summed


def of_label(pool: Rows, wanted: Rows, random: Random) -> Rows:
    """For each wanted label a random row of `pool`, the labels (n,), that has it."""
    rows = {label: np.flatnonzero(pool == label) for label in np.unique(pool)}
    return np.array([random.choice(rows[label]) for label in wanted])


def another(labels: Rows, random: Random) -> Rows:
    """Any other label, each as likely."""
    return (labels + random.integers(1, LABELS, len(labels))) % LABELS


def agreeing(faces: Rows, voices: Rows, count: int, random: Random) -> Pairs:
    """Random faces, each with a random voice of the same emotion. Labels (n,) in."""
    rows = random.integers(len(faces), size=count)
    return Pairs(rows, of_label(voices, faces[rows], random), faces[rows])


def with_wrong_voice(pairs: Pairs, voices: Rows, random: Random) -> Pairs:
    """The same faces, each with a voice of another emotion; the face is right."""
    return Pairs(pairs.faces, of_label(voices, another(pairs.truth, random), random), pairs.truth)


def with_wrong_face(pairs: Pairs, faces: Rows, random: Random) -> Pairs:
    """The same voices, each with a face of another emotion; the voice is right."""
    return Pairs(of_label(faces, another(pairs.truth, random), random), pairs.voices, pairs.truth)


def evidence(scores: Scores) -> Scores:
    """As `edge.policy.fusion` has it: log(n p), against the uniform prior."""
    return np.asarray(np.log(np.maximum(scores, LEAST) * LABELS))


def pooled(pairs: Pairs, face: Scores, voice: Scores, by: Reliabilities) -> Scores:
    """Logits (n, 7) of the pooled answer, from both sides' scores."""
    return np.asarray(
        by.face * evidence(face)[pairs.faces] + by.voice * evidence(voice)[pairs.voices]
    )


def accuracy(pairs: Pairs, face: Scores, voice: Scores, by: Reliabilities) -> float:
    return float((pooled(pairs, face, voice, by).argmax(1) == pairs.truth).mean())


def fit(
    right: Pairs, wrong: Pairs, share_wrong: float, face: Scores, voice: Scores
) -> Reliabilities:
    """The reliabilities with the least mean log loss where this share of the voices is wrong."""

    def loss(values: Scores) -> tuple[float, Scores]:
        by = Reliabilities(values[:LABELS], values[LABELS:])
        parts = [
            weighed_loss(pairs, share, face, voice, by)
            for pairs, share in ((right, 1 - share_wrong), (wrong, share_wrong))
        ]
        return sum(value for value, _ in parts), np.sum([slope for _, slope in parts], axis=0)

    start = np.full(2 * LABELS, 0.5)
    found = minimize(loss, start, jac=True, bounds=[(0, 1)] * len(start)).x
    return Reliabilities(found[:LABELS], found[LABELS:])


def weighed_loss(
    pairs: Pairs, weight: float, face: Scores, voice: Scores, by: Reliabilities
) -> tuple[float, Scores]:
    """`weight` times the mean log loss, and its slope over both sides' reliabilities (14,)."""
    logits = pooled(pairs, face, voice, by)
    logits = logits - logits.max(1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    each = np.arange(len(logits))
    errors = np.exp(logs)
    errors[each, pairs.truth] -= 1
    errors *= weight / len(logits)
    sides = (evidence(face)[pairs.faces], evidence(voice)[pairs.voices])
    slopes = np.concatenate([(errors * side).sum(0) for side in sides])
    return -weight * float(logs[each, pairs.truth].mean()), slopes


def choose(face: Scores, faces: Rows, voice: Scores, voices: Rows, seed: int) -> Reliabilities:
    """The reliabilities that believe the voice most, of those whom a wrong voice costs COST.

    face, voice: scores (n, 7). faces, voices: labels (n,). All of validation data.
    """
    random = np.random.default_rng(seed)
    right = agreeing(faces, voices, PAIRS, random)
    wrong = with_wrong_voice(right, voices, random)
    alone = float((face.argmax(1) == faces)[right.faces].mean())
    for share in SHARES_WRONG:
        by = fit(right, wrong, float(share), face, voice)
        if accuracy(wrong, face, voice, by) >= alone - COST:
            return by
    return Reliabilities(np.ones(LABELS), np.zeros(LABELS))
