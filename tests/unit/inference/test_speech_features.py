"""Features of speech: their shape, what they ignore, and what they refuse."""

import numpy as np
import pytest

from edge.inference.card import load_card
from edge.inference.speech_features import SILENCE_DBFS, features, level_dbfs, loudest_start
from tests.support.models import VOICE

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def settings():
    return load_card(VOICE).features


def noise(seconds: float, rms: float = 0.05) -> np.ndarray:
    samples = np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ))
    return (samples * rms).astype(np.float32)


def test_two_seconds_give_the_networks_shape(settings) -> None:
    found = features(noise(2), settings)
    assert found.dtype == np.float32
    assert found.shape == load_card(VOICE).input.shape[1:]


@pytest.mark.parametrize("seconds", [0.001, 0.5, 1.9, 2.1, 5])
def test_any_length_gives_the_same_shape(settings, seconds: float) -> None:
    assert features(noise(seconds), settings).shape == features(noise(2), settings).shape


def test_same_sound_gives_the_same_features(settings) -> None:
    assert np.array_equal(features(noise(2), settings), features(noise(2), settings))


def test_what_follows_the_window_is_ignored(settings) -> None:
    longer = np.concatenate([noise(2), np.ones(8000, np.float32)])
    assert np.array_equal(features(longer, settings), features(noise(2), settings))


def test_gain_and_offset_change_nothing(settings) -> None:
    plain, other = features(noise(2), settings), features(noise(2) * 0.05 + 0.2, settings)
    assert np.abs(plain - other).max() < 0.02


def test_digital_silence_gives_finite_features(settings) -> None:
    assert np.isfinite(features(np.zeros(2 * RATE_HZ, np.float32), settings)).all()


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((100, 2), np.float32), "one channel"),
        (np.full(100, np.nan, np.float32), "not finite"),
        (np.full(100, np.inf, np.float32), "not finite"),
    ],
)
def test_bad_sound_is_refused(settings, signal: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        features(signal, settings)
    with pytest.raises(ValueError, match=reason):
        level_dbfs(signal)


def test_level_of_a_full_square_wave_is_zero() -> None:
    assert level_dbfs(np.tile(np.array([1, -1], np.float32), 100)) == pytest.approx(0)


def test_level_halves_by_six_decibels() -> None:
    assert level_dbfs(noise(1, 0.05)) - level_dbfs(noise(1, 0.025)) == pytest.approx(6.02, abs=0.01)


def test_silence_has_the_lowest_level_offset_or_not() -> None:
    assert level_dbfs(np.zeros(100, np.float32)) == SILENCE_DBFS
    assert level_dbfs(np.full(100, 0.5, np.float32)) == SILENCE_DBFS


def test_loudest_part_is_found() -> None:
    signal = np.concatenate([noise(1, 0.001), noise(1, 0.1), noise(1, 0.001)])
    assert loudest_start(signal, RATE_HZ) == RATE_HZ
    assert loudest_start(signal, 4 * RATE_HZ) == 0
