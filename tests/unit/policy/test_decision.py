import itertools

import pytest

from edge.bus.messages import EMOTION_LABELS
from edge.policy.decision import RATINGS, SteadyLabel, decide, rounded, valence_arousal


def test_the_best_label_wins() -> None:
    assert decide({"happy": 0.6, "sad": 0.4}, 0.5) == ("happy", 0.6)


def test_a_best_label_below_the_threshold_is_uncertain() -> None:
    assert decide({"happy": 0.4, "sad": 0.35}, 0.5) == ("uncertain", 0.4)


def test_published_scores_are_short() -> None:
    assert rounded({"happy": 0.123456}) == {"happy": 0.1235}


def labels(*spans: tuple[float, dict[str, float]], rate_hz: float = 30.0) -> list[tuple[str, int]]:
    """The labels that are shown, and for how many frames, of (seconds, scores)."""
    label, shown, frame = SteadyLabel(0.4), [], 0
    for span_s, scores in spans:
        for _ in range(round(span_s * rate_hz)):
            shown.append(label.update(frame / rate_hz, scores)[0])
            frame += 1
    return [(name, len(list(group))) for name, group in itertools.groupby(shown)]


HAPPY, SAD = {"happy": 0.7, "sad": 0.3}, {"happy": 0.3, "sad": 0.7}
NEITHER = {"happy": 0.3, "sad": 0.3}


def test_the_first_scores_decide_at_once() -> None:
    assert labels((0.1, HAPPY)) == [("happy", 3)]


def test_a_label_that_lasts_replaces_the_one_before_a_moment_later() -> None:
    (_, before), (name, _) = labels((2.0, HAPPY), (1.0, SAD))
    assert name == "sad"
    assert 0 < before / 30 - 2.0 <= 0.3


def test_a_label_of_a_moment_is_not_shown() -> None:
    assert len(labels((1.0, HAPPY), (0.2, SAD), (1.0, HAPPY), (0.2, NEITHER), (1.0, HAPPY))) == 1


def test_nothing_grey_is_shown_between_two_labels() -> None:
    shown = labels((1.0, HAPPY), (0.2, NEITHER), (1.0, SAD))
    assert [name for name, _ in shown] == ["happy", "sad"]


@pytest.mark.parametrize("period_s", [0.05, 0.1, 0.2, 0.27, 0.3, 0.35, 0.45])
def test_no_label_is_shown_for_less_than_the_least_time(period_s: float) -> None:
    shown = labels(*[(period_s, HAPPY), (period_s, SAD), (period_s, NEITHER)] * 10)
    assert all(frames / 30 >= 0.4 for _, frames in shown[:-1])


def test_a_label_at_the_threshold_does_not_turn_grey_and_back() -> None:
    just_below = {"happy": 0.38, "sad": 0.3}
    assert labels((1.0, HAPPY), (2.0, just_below)) == [("happy", 90)]
    assert labels((1.0, just_below)) == [("uncertain", 30)]


def test_the_confidence_is_the_shown_labels_own() -> None:
    label = SteadyLabel(0.4)
    assert label.update(0.0, HAPPY) == ("happy", 0.7)
    assert label.update(0.1, SAD) == ("happy", 0.3)
    assert SteadyLabel(0.4).update(0.0, NEITHER) == ("uncertain", 0.3)


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
