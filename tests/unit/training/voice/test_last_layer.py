"""A last layer fitted anew on a body that stays as it is."""

from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile", reason="no soundfile here: pip install -e .[training]")
torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from edge.inference.speech import SpeechEmotion
from training.common.cards import FLOAT, MODELS
from training.common.networks import VoiceNet
from training.voice import corpora, whole_clips
from training.voice.corpora import LEFT_OUT, TEST_ONLY, TRAINING, Clips
from training.voice.data import LABELS, RATE_HZ, VoiceSet
from training.voice.last_layer import (
    Layer,
    Told,
    drawn,
    fitted,
    keep,
    kept,
    network_of,
    pooled_blocks,
    read_by,
    right_about_actors,
    told_of_actors,
    told_of_whole_clips,
    values_of,
    without_each,
)
from training.voice.windows import loudest


def some_clips(name: str, labels: list[str], paths: list[Path] | None = None) -> Clips:
    count = len(labels)
    words = np.full(count, name)
    numbers = np.array([LABELS.index(label) for label in labels])
    return Clips(paths or [Path()] * count, numbers, words, words, words, words)


def test_clips_are_drawn_as_often_as_their_weights_say() -> None:
    found = drawn(np.array([0.5, 0.2, 0.3, 0.0]), 100)
    assert np.bincount(found, minlength=4).tolist() == [50, 20, 30, 0]


def test_a_layer_part_of_the_way_gives_logits_part_of_the_way() -> None:
    old, new = (Layer(torch.randn(3, 4), torch.randn(3)) for _ in range(2))
    values = torch.randn(5, 4)
    between = old.towards(new, 0.25).logits(values)
    assert torch.allclose(between, old.logits(values).lerp(new.logits(values), 0.25), atol=1e-5)


def test_a_layer_is_mixed_with_one_that_reads_further_values() -> None:
    old, new = Layer(torch.randn(3, 4), torch.randn(3)), Layer(torch.randn(3, 6), torch.randn(3))
    values = torch.randn(5, 6)
    between = old.towards(new, 0.25).logits(values)
    wanted = old.logits(values[:, :4]).lerp(new.logits(values), 0.25)
    assert torch.allclose(between, wanted, atol=1e-5)


@torch.no_grad()
def test_the_last_block_speaks_first_and_as_the_network_reads_it() -> None:
    network = VoiceNet(len(LABELS), 80, 8).eval()
    x = torch.randn(2, 80, 1, 199)
    told = {"emovo": Told(pooled_blocks(network, x), np.arange(2))}
    assert torch.equal(read_by(told, values_of(network, 1))["emovo"].values, network.pooled(x))
    assert [values_of(network, blocks) for blocks in (1, 2, 3)] == [48, 96, 128]
    assert told["emovo"].values.shape == (2, 128)


def test_each_kind_of_window_has_its_own_accuracy() -> None:
    labels = np.array([2, 3])
    answered = np.array([2, 2, 0, 3, 2, 0])
    found = right_about_actors(np.eye(len(LABELS), dtype=np.float32)[answered], labels)
    assert found == "loudest 100.0%; pressed 50.0%; webcam 0.0%"


@torch.no_grad()
def test_of_each_of_the_actors_clips_three_windows_are_heard() -> None:
    network, device = network_of(FLOAT / "voice.pt"), SpeechEmotion(MODELS["voice"])
    clip = np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32) * 0.1
    told = told_of_actors(network, device, VoiceSet([clip, clip[::-1]], np.zeros(2), np.zeros(2)))
    assert told.clips.tolist() == [0, 0, 0, 1, 1, 1]
    wanted = network(torch.from_numpy(device.inputs(loudest(clip))).permute(0, 2, 1)[:, :, None])
    layer = Layer(network.classifier.weight, network.classifier.bias)
    found = layer.logits(told.values[:1, : values_of(network, 1)])
    assert torch.allclose(found, wanted, atol=1e-3)


def test_a_fitted_layer_tells_labels_apart_on_values_of_any_scale() -> None:
    labels = ["happy", "sad", "angry", "neutral"] * 10
    clips = {name: some_clips(name, labels) for name in ("emovo", "turev")}
    told = {
        name: Told(torch.eye(len(LABELS))[one.labels] * 300 + 100, np.arange(len(one)))
        for name, one in clips.items()
    }
    layer = fitted(told, clips)
    scores = corpora.scores_of_seven(layer.logits(told["turev"].values).softmax(1).numpy())
    assert [corpora.SEVEN[label] for label in scores[:4].argmax(1)] == labels[:4]


def test_a_corpus_plays_no_part_in_the_layer_that_it_tests() -> None:
    clips = {name: some_clips(name, ["happy", "sad", "angry", "neutral"]) for name in TRAINING}
    told = {name: Told(torch.randn(4, 6), np.arange(4)) for name in TRAINING}
    changed = told | {"emovo": Told(torch.randn(4, 6), np.arange(4))}
    torch.manual_seed(0)
    before = without_each(told, clips)
    torch.manual_seed(0)
    after = without_each(changed, clips)
    assert before.keys() == {*LEFT_OUT, *TEST_ONLY}
    assert torch.equal(before["emovo"].weight, after["emovo"].weight)
    assert not torch.equal(before["turev"].weight, after["turev"].weight)
    assert not torch.equal(before["savee"].weight, after["savee"].weight)


def test_what_the_body_tells_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path / "x.npz") is None
    told = keep(tmp_path / "x.npz", Told(torch.randn(2, 3), np.array([0, 1])))
    again = kept(tmp_path / "x.npz")
    assert again is not None
    assert torch.equal(again.values, told.values)
    assert again.clips.tolist() == [0, 1]


def test_the_released_weights_say_what_the_shipped_model_says(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{n}.flac" for n in range(4)]
    for number, path in enumerate(paths):
        times = np.arange(round((1.5 + number) * RATE_HZ)) / RATE_HZ
        sound = np.sin(2 * np.pi * (150 + 60 * number) * times) * np.sin(5 * times) ** 2
        sound += random.standard_normal(len(times)) * 0.05
        soundfile.write(path, (sound * 0.3).astype(np.float32), RATE_HZ)
    clips = some_clips("emovo", ["happy", "sad", "angry", "fearful"], paths)
    network, device = network_of(FLOAT / "voice.pt"), SpeechEmotion(MODELS["voice"])
    shipped = whole_clips.answers(device, clips)
    with torch.no_grad():
        told = told_of_whole_clips(network, device, clips)
        layer = Layer(network.classifier.weight, network.classifier.bias)
        logits = layer.logits(told.values[:, : values_of(network, 1)]).numpy()
    assert (told.clips == shipped.clips).all()
    assert np.abs(logits - shipped.logits).max() < 0.5
