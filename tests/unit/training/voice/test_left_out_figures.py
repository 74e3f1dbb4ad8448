"""What is said of a corpus that a network has not seen."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="no soundfile here: pip install -e .[training]")

from training.voice import corpora, whole_clips
from training.voice.corpora import Clips
from training.voice.data import LABELS, RATE_HZ
from training.voice.left_out_figures import (
    RIGHT,
    LeftOut,
    cross_fitted_figures,
    figures,
    fit_calibration,
    fit_temperature,
    fit_threshold,
    given,
    means,
    unweighted_average_recall,
)
from training.voice.whole_clips import Answers

CLIPS = 400


def a_corpus(seed: int, sure: float = 4.0, right: float = 0.5) -> LeftOut:
    """One window a clip; `sure` is the logit of what is answered, and `right` of it is right."""
    random = np.random.default_rng(seed)
    labels = random.choice([0, 2, 3, 4], CLIPS)
    wrong = random.random(CLIPS) > right
    answered = np.where(wrong, random.integers(len(LABELS), size=CLIPS), labels)
    logits = np.eye(len(LABELS), dtype=np.float32)[answered] * sure
    words = np.full(CLIPS, "x")
    sexes = np.where(np.arange(CLIPS) % 2 == 0, "f", "m")
    clips = Clips([Path()] * CLIPS, labels, words, words, sexes, words)
    return LeftOut(clips, Answers(logits, np.arange(CLIPS)))


def test_recall_is_averaged_over_the_classes_that_there_are() -> None:
    labels = np.array([0, 0, 0, 2])
    assert unweighted_average_recall(np.array([0, 0, 0, 5]), labels) == 0.5
    assert unweighted_average_recall(np.array([1, 1, 1, 2]), labels) == 0.5


def test_a_clips_scores_are_the_mean_of_its_windows() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], np.float32))
    eight = Answers(logits, np.array([0, 0, 1])).eight(1.0)
    assert np.allclose(eight, [[0.7, 0.3], [0.2, 0.8]])


def test_a_clip_is_cut_end_to_end_and_a_short_rest_is_left_out() -> None:
    second = np.zeros(RATE_HZ, np.float32)
    lengths = [part.size / RATE_HZ for part in whole_clips.windows(np.tile(second, 5))]
    assert lengths == [2, 2, 1]
    assert len(list(whole_clips.windows(np.zeros(2 * RATE_HZ + 100, np.float32)))) == 1
    assert len(list(whole_clips.windows(second[:1000]))) == 1


def test_the_temperature_makes_the_scores_as_sure_as_they_are_right() -> None:
    one = a_corpus(0, sure=8.0)
    before = figures(one, 1.0, 0.5)["calibration_error"]
    after = figures(one, fit_temperature([one]), 0.5)["calibration_error"]
    assert after < 0.1 < before


def test_above_the_threshold_enough_is_right() -> None:
    corpora_seen = [a_corpus(1), a_corpus(2, right=0.3)]
    threshold = fit_threshold(corpora_seen, 2.0)
    found = [given(one, 2.0, threshold) for one in corpora_seen]
    assert np.mean([each.right for each in found if each.share > 0] or [RIGHT]) >= RIGHT


def test_a_corpus_has_no_say_in_its_own_calibration() -> None:
    known = {"a": a_corpus(1), "b": a_corpus(2)}
    fitted = fit_calibration([known["b"]])
    threshold = fit_threshold([fitted.applied(known["b"])], fitted.temperature)
    wanted = figures(fitted.applied(known["a"]), fitted.temperature, threshold)
    assert cross_fitted_figures(known)["a"] == wanted


def test_offsets_take_back_what_is_said_too_often() -> None:
    one = a_corpus(3, right=0.6)
    surprised = np.zeros(len(LABELS))
    surprised[LABELS.index("surprised")] = 4.5
    biased = one._replace(answers=one.answers.shifted(surprised))
    fitted = fit_calibration([biased])
    before, after = figures(biased, 1.0, 0.5), figures(fitted.applied(biased), 1.0, 0.5)
    assert after["unweighted_average_recall"] > before["unweighted_average_recall"] + 0.2
    there = [LABELS.index(name) for name in ("happy", "sad", "angry")]
    assert fitted.offsets[LABELS.index("surprised")] < fitted.offsets[there].min()
    assert fitted.offsets[LABELS.index("calm")] == fitted.offsets[LABELS.index("neutral")]


def test_women_and_men_are_told_apart_and_corpora_count_alike() -> None:
    found = {
        "a": figures(a_corpus(1, right=1), 1, 0.5),
        "b": figures(a_corpus(2, right=0.4), 1, 0.5),
    }
    assert {"women", "men"} <= found["a"].keys()
    both = [each["unweighted_average_recall"] for each in found.values()]
    assert means(found)["unweighted_average_recall"] == pytest.approx(np.mean(both), abs=1e-4)
    assert means(found)["samples"] == 2 * CLIPS
    assert found["a"]["chance_level"] == 0.25
    assert set(found["a"]["recall"]) <= set(corpora.SEVEN)
