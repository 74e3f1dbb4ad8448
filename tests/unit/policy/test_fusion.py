import pytest

from edge.bus.messages import EMOTION_LABELS, FACE_LABELS, VOICE_LABELS
from edge.policy.fusion import Opinion, Rules, fuse

RULES = Rules(
    face_reliability=dict.fromkeys(FACE_LABELS, 0.7),
    voice_reliability=dict.fromkeys(VOICE_LABELS, 0.6),
    voice_half_life_s=8.0,
)


def opinion(labels: tuple[str, ...], best: str, p: float, age_s: float = 0.0) -> Opinion:
    rest = (1 - p) / (len(labels) - 1)
    return Opinion({label: p if label == best else rest for label in labels}, age_s)


def face(best: str, p: float = 0.6) -> Opinion:
    return opinion(FACE_LABELS, best, p)


def voice(best: str, p: float = 0.6, age_s: float = 0.0) -> Opinion:
    return opinion(VOICE_LABELS, best, p, age_s)


@pytest.mark.parametrize("age_s", [0.0, 5.0, 29.0])
@pytest.mark.parametrize("spoken", VOICE_LABELS)
@pytest.mark.parametrize("seen", FACE_LABELS)
def test_scores_are_probabilities_over_all_labels(seen: str, spoken: str, age_s: float) -> None:
    scores = fuse(face(seen), voice(spoken, age_s=age_s), RULES)
    assert tuple(sorted(scores)) == tuple(sorted(EMOTION_LABELS))
    assert sum(scores.values()) == pytest.approx(1)
    assert min(scores.values()) >= 0


def test_a_face_alone_is_passed_on_unchanged() -> None:
    scores = fuse(face("sad", 0.8), None, RULES)
    assert scores == {**face("sad", 0.8).scores, "calm": 0.0}


def test_a_voice_alone_is_passed_on_in_the_emotions_words() -> None:
    scores = fuse(None, voice("fearful", 0.8), RULES)
    assert scores["fear"] == pytest.approx(0.8)
    assert sum(scores.values()) == pytest.approx(1)


@pytest.mark.parametrize("p", [0.45, 0.6, 0.99])
def test_a_voice_alone_fades_with_its_age_until_it_is_no_opinion(p: float) -> None:
    ages = [0.0, 2.0, 8.0, 16.0, 30.0]
    sad = [fuse(None, voice("sad", p, age), RULES)["sad"] for age in ages]
    assert sad == sorted(sad, reverse=True)
    assert sad[0] == pytest.approx(p)
    assert 1 / 8 < sad[-1] < 0.2


def test_a_voice_alone_has_the_same_best_label_at_every_age() -> None:
    scores = [fuse(None, voice("happy", 0.3, age), RULES) for age in (0.0, 8.0, 30.0)]
    assert {max(one, key=one.__getitem__) for one in scores} == {"happy"}


def test_nothing_known_is_uniform() -> None:
    assert set(fuse(None, None, RULES).values()) == {1 / 8}


def test_two_that_agree_are_surer_than_either() -> None:
    assert fuse(face("angry"), voice("angry"), RULES)["angry"] > 0.6


def test_a_voice_counts_less_the_older_it_is() -> None:
    ages = [0.0, 4.0, 8.0, 20.0]
    sad = [fuse(face("happy"), voice("sad", 0.9, age), RULES)["sad"] for age in ages]
    assert sad == sorted(sad, reverse=True)
    assert sad[0] > 2 * sad[-1]


def test_a_voice_long_ago_leaves_the_face_as_it_was() -> None:
    scores = fuse(face("sad", 0.5), voice("happy", 0.9, age_s=200.0), RULES)
    seen = face("sad", 0.5).scores
    assert scores["neutral"] + scores["calm"] == pytest.approx(seen["neutral"])
    assert {c: scores[c] for c in seen if c != "neutral"} == pytest.approx(
        {c: p for c, p in seen.items() if c != "neutral"}
    )


def test_a_label_that_the_voice_confuses_weighs_less() -> None:
    doubtful = Rules(RULES.face_reliability, {**RULES.voice_reliability, "sad": 0.1}, 8.0)
    trusted = fuse(face("happy"), voice("sad"), RULES)
    doubted = fuse(face("happy"), voice("sad"), doubtful)
    assert doubted["sad"] < trusted["sad"]


def test_calm_is_parted_from_neutral_as_the_voice_parts_them() -> None:
    calm = fuse(face("neutral"), voice("calm"), RULES)
    neutral = fuse(face("neutral"), voice("neutral"), RULES)
    assert max(calm, key=calm.__getitem__) == "calm"
    assert max(neutral, key=neutral.__getitem__) == "neutral"
    assert calm["calm"] + calm["neutral"] == pytest.approx(neutral["calm"] + neutral["neutral"])


def test_a_zero_is_not_proof() -> None:
    never = Opinion({**dict.fromkeys(FACE_LABELS, 0.0), "happy": 1.0}, 0.0)
    scores = fuse(never, voice("sad", 0.99), RULES)
    assert 0 < scores["sad"] < 1
