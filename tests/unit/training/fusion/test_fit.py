"""How far face and voice are believed is fitted: better than either, safe from a wrong voice."""

import numpy as np
import pytest

from training.fusion import fit as fusion_fit
from training.fusion.fit import LABELS, Pairs, Reliabilities

VOICE = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def said(labels: np.ndarray, share_right: float, seed: int) -> np.ndarray:
    """Scores that put 0.6 on a label, which is the true one for this share of them."""
    random = np.random.default_rng(seed)
    right = random.random(len(labels)) < share_right
    answers = np.where(right, labels, fusion_fit.another(labels, random))
    scores = np.full((len(labels), LABELS), 0.4 / (LABELS - 1))
    scores[np.arange(len(labels)), answers] = 0.6
    return scores


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.tile(np.arange(LABELS), 60)


def test_calm_counts_as_neutral() -> None:
    scores = np.array([[0.2, 0.3, 0.5, 0, 0, 0, 0, 0]])
    found = fusion_fit.seven(scores, VOICE)[0]
    assert found[fusion_fit.face_label("calm")] == pytest.approx(0.5)
    assert found[fusion_fit.face_label("happy")] == pytest.approx(0.5)
    assert fusion_fit.face_label("fearful") != fusion_fit.face_label("surprised")


def test_pairs_agree_or_not_as_they_are_named(labels: np.ndarray) -> None:
    random = np.random.default_rng(0)
    right = fusion_fit.agreeing(labels, labels[::-1], 200, random)
    assert (labels[right.faces] == right.truth).all()
    assert (labels[::-1][right.voices] == right.truth).all()
    voice_wrong = fusion_fit.with_wrong_voice(right, labels[::-1], random)
    assert (labels[voice_wrong.faces] == voice_wrong.truth).all()
    assert (labels[::-1][voice_wrong.voices] != voice_wrong.truth).all()
    face_wrong = fusion_fit.with_wrong_face(right, labels, random)
    assert (labels[face_wrong.faces] != face_wrong.truth).all()
    assert (face_wrong.voices == right.voices).all()


def test_the_slope_of_the_loss_is_its_slope(labels: np.ndarray) -> None:
    random = np.random.default_rng(0)
    face, voice = random.dirichlet(np.ones(LABELS), (2, len(labels)))
    pairs = Pairs(np.arange(50), np.arange(50, 100), labels[:50])
    values = random.random(2 * LABELS)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        by = Reliabilities(values[:LABELS], values[LABELS:])
        return fusion_fit.weighed_loss(pairs, 0.7, face, voice, by)

    for index in range(2 * LABELS):
        step = np.zeros(2 * LABELS)
        step[index] = 1e-6
        numeric = (loss(values + step)[0] - loss(values - step)[0]) / 2e-6
        assert loss(values)[1][index] == pytest.approx(numeric, abs=1e-5)


def test_a_voice_that_knows_nothing_is_not_believed(labels: np.ndarray) -> None:
    face = said(labels, 0.7, seed=1)
    by = fusion_fit.choose(face, labels, said(labels, 1 / LABELS, seed=2), labels, seed=0)
    assert by.voice.max() < 0.25


def test_a_wrong_voice_costs_no_more_than_it_may(labels: np.ndarray) -> None:
    face, voice = said(labels, 0.7, seed=1), said(labels, 0.7, seed=2)
    by = fusion_fit.choose(face, labels, voice, labels, seed=0)
    random = np.random.default_rng(5)
    right = fusion_fit.agreeing(labels, labels, 4000, random)
    wrong = fusion_fit.with_wrong_voice(right, labels, random)
    alone = float((face.argmax(1) == labels)[right.faces].mean())
    assert fusion_fit.accuracy(wrong, face, voice, by) >= alone - 0.02
    assert fusion_fit.accuracy(right, face, voice, by) >= alone
