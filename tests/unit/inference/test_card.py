"""A model's card: read where it is right, refused in one line where it is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.inference.card import ModelError, load_card
from edge.inference.face_emotion import FaceEmotion
from edge.inference.interpreter import open_model
from tests.support.models import FACE, VOICE, copy_of


@pytest.mark.parametrize("model", [FACE, VOICE])
def test_shipped_card_tells_licence_limits_and_figures(model: Path) -> None:
    card = load_card(model)
    assert card.licence and card.not_for
    assert all(0 < share <= 1 for share in card.reliability.values())
    assert any("accuracy" in figures for figures in card.figures.values())


def refusal(model: Path, kind: str = "face-emotion") -> str:
    with pytest.raises(ModelError) as raised:
        open_model(model, kind)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1e-300},
        {"temperature": 1e300},
        {"labels": ["a"] * 7, "reliability": {"a": 1}},
        {"labels": ["x" * 300, *"bcdefg"], "reliability": dict.fromkeys(["x" * 300, *"bcdefg"], 1)},
        {"input": {"shape": [48, 48, 1], "dtype": "int8", "mean": [0], "std": [1e-300]}},
        {"input": {"shape": [48, 48, 1], "dtype": "int8", "mean": [1e300], "std": [1]}},
        {"input": {"shape": [], "dtype": "int8", "mean": [0], "std": [1]}},
        {"crop": dict.fromkeys(("eyes_apart", "eyes_height", "mouth_height"), 1e-9)},
    ],
)
def test_face_card_with_impossible_figures_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    assert "face_emotion.json: " in refusal(copy_of(FACE, tmp_path, **changes))


def test_card_with_nan_is_refused(tmp_path: Path) -> None:
    assert "not a valid model card" in refusal(copy_of(FACE, tmp_path, temperature=float("nan")))


@pytest.mark.parametrize(
    "changes",
    [
        {"fft_size": 2**30},
        {"fft_size": 256},
        {"rate_hz": 1},
        {"window_s": 1e9},
        {"window_s": 1.0},
        {"frame_s": 1e-9},
        {"hop_s": 0.0199},
        {"coefficients": 41},
        {"low_hz": 7700},
        {"high_hz": 8001},
    ],
)
def test_voice_card_with_impossible_features_is_refused(
    tmp_path: Path, changes: dict[str, float]
) -> None:
    features = json.loads(VOICE.with_suffix(".json").read_text())["features"]
    model = copy_of(VOICE, tmp_path, features={**features, **changes})
    assert "voice_emotion.json: " in refusal(model, "speech-emotion")


def test_missing_model_is_named(tmp_path: Path) -> None:
    assert "absent.tflite: no such model file" in refusal(tmp_path / "absent.tflite")


def test_model_of_an_older_version_is_named_with_what_replaces_it(tmp_path: Path) -> None:
    fix = "leave face.model out, and set face.raters_share = 1"
    assert refusal(tmp_path / "face_emotion_raters.tflite").endswith(f"no such model file; {fix}")


def test_missing_card_is_named(tmp_path: Path) -> None:
    model = copy_of(FACE, tmp_path)
    model.with_suffix(".json").unlink()
    assert "face_emotion.json: the model's card is missing" in refusal(model)


def test_wrong_sha256_is_refused(tmp_path: Path) -> None:
    model = copy_of(FACE, tmp_path)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert "sha256" in refusal(model)


def test_broken_json_is_refused(tmp_path: Path) -> None:
    model = copy_of(FACE, tmp_path)
    model.with_suffix(".json").write_text('{"kind": ')
    assert "not a valid model card" in refusal(model)


def test_wrong_value_is_refused_with_its_place_on_the_card(tmp_path: Path) -> None:
    assert "$.temperature" in refusal(copy_of(FACE, tmp_path, temperature=0))


def test_unknown_field_is_refused(tmp_path: Path) -> None:
    assert "temprature" in refusal(copy_of(FACE, tmp_path, temprature=1))


def test_card_with_another_input_shape_is_refused(tmp_path: Path) -> None:
    given = {"shape": [64, 64, 1], "dtype": "int8", "mean": [0], "std": [1]}
    assert "its input is (48, 48, 1)" in refusal(copy_of(FACE, tmp_path, input=given))


def test_card_with_a_label_too_many_is_refused(tmp_path: Path) -> None:
    labels = [*load_card(FACE).labels, "calm"]
    model = copy_of(FACE, tmp_path, labels=labels, reliability=dict.fromkeys(labels, 1))
    assert "14 outputs for 8 labels and two heads" in refusal(model)


def test_card_that_leaves_out_the_raters_head_is_refused(tmp_path: Path) -> None:
    assert "14 outputs for 7 labels" in refusal(copy_of(FACE, tmp_path, raters=None))


def test_older_card_with_one_head_is_read(tmp_path: Path) -> None:
    fields = json.loads(copy_of(FACE, tmp_path).with_suffix(".json").read_text())
    del fields["raters"]
    (tmp_path / "face_emotion.json").write_text(json.dumps({**fields, "view": "raters"}))
    card = load_card(tmp_path / "face_emotion.tflite")
    assert card.raters is None and card.outputs == len(card.labels)


def test_card_that_trusts_an_unknown_label_is_refused(tmp_path: Path) -> None:
    assert "reliability" in refusal(copy_of(FACE, tmp_path, reliability={"bored": 1}))


def test_card_with_too_few_means_is_refused(tmp_path: Path) -> None:
    card = json.loads(VOICE.with_suffix(".json").read_text())
    card["input"]["mean"] = card["input"]["mean"][:3]
    assert "mean and std" in refusal(copy_of(VOICE, tmp_path, input=card["input"]))


def test_card_without_its_kinds_settings_is_refused(tmp_path: Path) -> None:
    assert "`crop` or `features`" in refusal(copy_of(FACE, tmp_path, crop=None))


def test_voice_model_in_a_faces_place_is_refused() -> None:
    assert "speech-emotion model where a face-emotion model is needed" in refusal(VOICE)


def test_model_is_swapped_by_its_path_alone(tmp_path: Path) -> None:
    names = [f"{label}!" for label in load_card(FACE).labels]
    other = copy_of(
        FACE,
        tmp_path,
        labels=names,
        reliability=dict.fromkeys(names, 1),
        temperature=50,
        raters={"temperature": 50, "default_share": 0.5},
    )
    grey = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    shipped, swapped = FaceEmotion(FACE), FaceEmotion(other)
    assert swapped.labels == tuple(names)
    flatter = swapped.classify(grey, [(0, 0, 48, 48)])[0]
    assert flatter.max() < shipped.classify(grey, [(0, 0, 48, 48)])[0].max()


def test_scores_follow_the_temperature() -> None:
    card = load_card(FACE)
    logits = np.zeros(7, np.float32)
    logits[3] = card.temperature * np.log(6)
    assert card.scores(logits)[3] == pytest.approx(0.5, abs=1e-6)
