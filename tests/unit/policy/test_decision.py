import pytest

from edge.bus.messages import EMOTION_LABELS
from edge.policy.decision import RATINGS, decide, rounded, valence_arousal


def test_the_best_label_wins() -> None:
    assert decide({"happy": 0.6, "sad": 0.4}, 0.5) == ("happy", 0.6)


def test_a_best_label_below_the_threshold_is_uncertain() -> None:
    assert decide({"happy": 0.4, "sad": 0.35}, 0.5) == ("uncertain", 0.4)


def test_published_scores_are_short() -> None:
    assert rounded({"happy": 0.123456}) == {"happy": 0.1235}


def test_every_label_of_an_emotion_has_valence_and_arousal() -> None:
    assert set(RATINGS) == set(EMOTION_LABELS)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("happy", (0.8675, 0.2625)),
        ("sad", (-0.725, -0.3775)),
        ("angry", (-0.6175, 0.3)),
        ("calm", (0.4725, -0.8325)),
    ],
)
def test_a_label_alone_has_its_words_ratings(label: str, expected: tuple[float, float]) -> None:
    assert valence_arousal({label: 1.0}) == expected


def test_valence_and_arousal_are_weighted_with_the_scores() -> None:
    assert valence_arousal({"happy": 0.5, "sad": 0.5}) == (0.0713, -0.0575)


def test_a_label_that_nobody_rated_adds_nothing() -> None:
    assert valence_arousal({"happy": 0.4, "contempt": 0.6}) == (0.347, 0.105)
    assert valence_arousal({}) == (0, 0)
