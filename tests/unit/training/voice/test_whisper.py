"""The teacher's encoder: what goes in, what comes out, and weights that are no longer int8."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx here: pip install -e .[training]")
torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.voice.whisper import EMBEDDING, FILTERS, LAYERS, Encoder, dequantised, log_mel

SAMPLES = 32_000


def test_a_louder_sound_looks_the_same() -> None:
    sound = np.random.default_rng(0).standard_normal((2, SAMPLES)).astype(np.float32)
    quiet, loud = log_mel(sound * 0.01), log_mel(sound)
    assert quiet.shape == (2, FILTERS, 200)
    assert np.allclose(quiet, loud, atol=1e-2)
    assert np.abs(loud).max() < 3


def test_a_tone_is_in_one_place() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(SAMPLES) / 16_000).astype(np.float32)
    loudest = log_mel(tone[None])[0].mean(1).argmax()
    higher = np.sin(2 * np.pi * 2000 * np.arange(SAMPLES) / 16_000).astype(np.float32)
    assert loudest < log_mel(higher[None])[0].mean(1).argmax()


def test_every_layer_tells_means_and_deviations() -> None:
    sound = np.random.default_rng(0).standard_normal((3, SAMPLES)).astype(np.float32)
    found = Encoder().eval().embeddings(sound)
    assert found.shape == (3, LAYERS + 1, EMBEDDING)
    assert np.isfinite(found).all()


def test_int8_weights_are_floats_again_by_channel() -> None:
    values = np.array([[10, 20], [30, 40]], np.int8)
    zero = np.array([10, 0], np.int8)
    found = dequantised(values, np.array([0.5, 2], np.float32), zero, axis=1)
    assert found.tolist() == [[0, 40], [10, 80]]
    assert dequantised(values, np.float32(1), np.int8(10), axis=1).tolist() == [[0, 10], [20, 30]]
