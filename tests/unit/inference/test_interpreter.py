"""The interpreter: both runtimes agree, foreign files are refused, nothing is printed."""

from pathlib import Path

import numpy as np
import pytest

from edge.inference.card import ModelError
from edge.inference.interpreter import RUNTIMES, Interpreter, import_runtime, open_model
from tests.support.models import FACE, VOICE, copy_of, with_content


def needs(runtime: str) -> None:
    try:
        import_runtime(runtime)
    except ModelError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("model", [FACE, VOICE])
def test_shipped_model_runs(model: Path, runtime: str) -> None:
    needs(runtime)
    network = Interpreter(model, runtime=runtime)
    logits = network(np.zeros(network.input_shape, np.float32))
    assert logits.shape == (network.output_size,)
    assert logits.dtype == np.float32 and np.isfinite(logits).all()


@pytest.mark.parametrize("model", [FACE, VOICE])
def test_both_runtimes_agree(model: Path) -> None:
    for runtime in RUNTIMES:
        needs(runtime)
    networks = [Interpreter(model, runtime=runtime) for runtime in RUNTIMES]
    random = np.random.default_rng(0)
    inputs = random.standard_normal((20, *networks[0].input_shape)).astype(np.float32)
    first, second = (np.stack([network(x) for x in inputs]) for network in networks)
    assert np.abs(first - second).max() < 0.05 * np.abs(first).max()


def test_threads_change_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((48, 48, 1)).astype(np.float32)
    assert np.array_equal(Interpreter(FACE, 1)(x), Interpreter(FACE, 2)(x))


def test_values_beyond_the_range_are_clipped_not_wrapped() -> None:
    network = Interpreter(FACE)
    bright = np.full((48, 48, 1), 1e6, np.float32)
    assert np.array_equal(network(bright), network(bright / 10))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"....TFL3" + bytes(64), FACE.read_bytes()[:5000]]
)
def test_foreign_or_cut_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    model = with_content(copy_of(FACE, tmp_path), content)
    with pytest.raises(ModelError, match=r"face_emotion\.tflite: not a TFLite model") as raised:
        open_model(model, "face-emotion")
    assert "\n" not in str(raised.value)


def test_runtime_that_is_not_installed_is_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RUNTIMES, "ai-edge-litert", "no_such_module")
    with pytest.raises(
        ModelError, match="ai-edge-litert is not installed: pip install ai-edge-litert"
    ):
        Interpreter(FACE, runtime="ai-edge-litert")


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Interpreter(FACE)(np.zeros((48, 48, 1), np.float32))
    assert capfd.readouterr() == ("", "")
