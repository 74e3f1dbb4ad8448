"""A spoken window to scores, through the features and the network that ships."""

import csv

import numpy as np
import pytest
import soundfile

from edge.inference.speech import SpeechEmotion
from edge.inference.speech_features import loudest_start
from tests.support.models import BASELINE, VOICE, research_data

WINDOW = 32_000


@pytest.fixture(scope="module")
def network() -> SpeechEmotion:
    return SpeechEmotion(VOICE)


def test_labels_are_the_contracts(network: SpeechEmotion) -> None:
    assert network.labels == (
        "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised",
    )  # fmt: skip


@pytest.mark.parametrize("samples", [500, WINDOW, 3 * WINDOW])
def test_any_length_gives_scores_that_sum_to_one(network: SpeechEmotion, samples: int) -> None:
    signal = np.random.default_rng(0).standard_normal(samples).astype(np.float32) * 0.1
    scores = network.classify(signal)
    assert scores.shape == (8,) and scores.dtype == np.float32
    assert scores.sum() == pytest.approx(1, abs=1e-5) and scores.min() >= 0


def test_same_sound_gives_the_same_scores(network: SpeechEmotion) -> None:
    signal = np.random.default_rng(1).standard_normal(WINDOW).astype(np.float32) * 0.1
    assert np.array_equal(network.classify(signal), network.classify(signal))


def test_what_begins_some_milliseconds_earlier_is_read_alike(network: SpeechEmotion) -> None:
    sound = np.random.default_rng(2).standard_normal(WINDOW).astype(np.float32) * 0.1
    sound[WINDOW // 2] = 1
    assert np.array_equal(network.inputs(sound[600:]), network.inputs(sound[563:]))
    assert not np.array_equal(network.inputs(sound[600:]), network.inputs(sound[700:]))


def test_empty_sound_is_refused(network: SpeechEmotion) -> None:
    with pytest.raises(ValueError, match="no samples"):
        network.classify(np.zeros(0, np.float32))


@pytest.mark.data
def test_shipped_network_knows_voices_of_the_validation_actors(network: SpeechEmotion) -> None:
    folder = research_data("ravdess_16k")
    with (folder / "index.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["actor"] in ("Actor_17", "Actor_20")][::2]
    right = 0
    for row in rows:
        clip, _ = soundfile.read(folder / row["actor"] / f"{row['name']}.flac", dtype="float32")
        start = loudest_start(clip, WINDOW)
        scores = network.classify(clip[start : start + WINDOW])
        right += network.labels[scores.argmax()] == row["emotion"]
    assert right / len(rows) > 0.5


def test_the_desktop_scripts_kind_of_network_is_loaded_like_any_other() -> None:
    network = SpeechEmotion(BASELINE)
    scores = network.classify(np.random.default_rng(0).standard_normal(32_000).astype(np.float32))
    assert network.labels == SpeechEmotion(VOICE).labels
    assert scores.sum() == pytest.approx(1)
