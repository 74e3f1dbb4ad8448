"""Corpora with different labels are read, drawn, taught and scored alike."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile", reason="no soundfile here: pip install -e .[training]")
torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training import prepare
from training.common.networks import VoiceNet
from training.voice import corpora, corpora_bank, mel_augment
from training.voice.bank import SETTINGS, log_energies
from training.voice.corpora_draw import draw_weights, training_clips
from training.voice.corpora_targets import (
    CALM,
    EITHER,
    NEUTRAL,
    Targets,
    hard_targets,
    label_loss,
    offsets,
)
from training.voice.corpora_task import CorporaTask
from training.voice.data import LABELS, RATE_HZ
from training.voice.last_layer import told_of_training, values_of
from training.voice.mel_energies import fast_log_energies

COLUMNS = ("file", "speaker", "sex", "language", "label")
FOUR = ("calm", "happy", "sad", "angry")


def write_sound(path: Path, seconds: float, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)) * 0.05
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise.astype(np.float32), RATE_HZ)


def write_corpus(data: Path, name: str, labels: Sequence[str]) -> None:
    """Two clips a label, each of another speaker."""
    folder = data / "corpora" / name
    rows = [(f"audio/{n}.flac", f"s{n % 2}", "fm"[n % 2], "xx", labels[n // 2])
            for n in range(2 * len(labels))]  # fmt: skip
    for number, row in enumerate(rows):
        write_sound(folder / row[0], 0.8 + 0.3 * number, number)
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def write_ravdess(data: Path) -> None:
    """One clip of each of 24 actors."""
    folder = data / "ravdess_16k"
    rows = [(str(n), f"Actor_{n:02}", LABELS[n % 8]) for n in range(1, 25)]
    for name, actor, _ in rows:
        write_sound(folder / actor / f"{name}.flac", 2.4, int(name))
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("name", "actor", "emotion"), *rows])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """RAVDESS and two corpora, one of which has no neutral."""
    write_ravdess(tmp_path)
    write_corpus(tmp_path, "emovo", corpora.SEVEN)
    write_corpus(tmp_path, "turev", FOUR)
    return tmp_path


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were no other corpora."""
    monkeypatch.setattr(corpora, "TRAINING", ("ravdess_16k", "emovo", "turev"))


def test_a_corpus_is_read_with_speakers_of_its_own(data: Path) -> None:
    clips = corpora.read(data, "turev")
    assert len(clips) == 8
    assert set(clips.speakers) == {"turev/s0", "turev/s1"}
    assert set(clips.sexes) == {"f", "m"}
    assert [LABELS[label] for label in clips.labels[::2]] == list(FOUR)
    assert clips.sounds()[0].dtype == np.float32


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no index"):
        corpora.read(tmp_path, "nemo")


def test_every_corpus_either_trains_or_tests() -> None:
    assert set(corpora.LEFT_OUT) | {corpora.RAVDESS.name} == set(corpora.TRAINING)
    assert set(corpora.TEST_ONLY) == {"savee", "urdu"}
    assert not set(corpora.TEST_ONLY) & set(corpora.TRAINING)


def test_ravdess_gives_only_its_training_actors(data: Path) -> None:
    clips = training_clips(corpora.read(data, "ravdess_16k"))
    assert set(clips.speakers) == {f"ravdess_16k/{actor}" for actor in range(1, 17)}


def test_calm_counts_as_neutral() -> None:
    labels = np.arange(len(LABELS))
    assert corpora.SEVEN[corpora.as_seven(labels)[CALM]] == "neutral"
    seven = corpora.scores_of_seven(np.eye(len(LABELS)))
    assert (seven.argmax(1) == corpora.as_seven(labels)).all()
    assert seven.sum() == len(LABELS)


def test_plain_delivery_is_neutral_or_calm_but_in_ravdess(data: Path) -> None:
    names = ("ravdess_16k", "emovo", "turev")
    clips = corpora.joined([corpora.read(data, name) for name in names])
    targets = hard_targets(clips)
    assert torch.allclose(targets.sum(1), torch.ones(len(clips)))
    chosen = targets.argmax(1).numpy()
    ravdess = clips.corpora == "ravdess_16k"
    assert (chosen[ravdess] == clips.labels[ravdess]).all()
    plain = ~ravdess & np.isin(clips.labels, (NEUTRAL, CALM))
    assert (chosen[plain] == EITHER).all()


def test_a_corpus_teaches_little_of_labels_that_it_lacks(data: Path) -> None:
    clips = corpora.read(data, "turev")
    shifts = offsets(clips)
    lacking = [LABELS.index(name) for name in ("fearful", "disgust", "surprised")]
    assert (shifts[:, lacking] < 0).all()
    assert (shifts[:, [NEUTRAL, CALM]] == 0).all()
    logits = torch.zeros(len(clips), len(LABELS), requires_grad=True)
    label_loss(logits, Targets(hard_targets(clips), shifts, torch.zeros(8, 0))).backward()
    assert logits.grad is not None
    others = [LABELS.index(name) for name in ("happy", "sad", "angry")]
    assert logits.grad[:, lacking].abs().max() < 0.1 * logits.grad[:, others].abs().max()


def test_neutral_or_calm_has_the_gradient_of_their_sum() -> None:
    logits = torch.randn(1, len(LABELS), requires_grad=True)
    labels = torch.eye(EITHER + 1)[EITHER:]
    label_loss(logits, Targets(labels, torch.zeros(1, EITHER), torch.zeros(1, 0))).backward()
    theirs = logits.detach().clone().requires_grad_()
    (-theirs.softmax(1)[0, [NEUTRAL, CALM]].sum().log()).backward()
    assert logits.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(logits.grad, theirs.grad, atol=1e-6)


def test_corpora_are_drawn_by_their_weights_and_labels_alike(data: Path) -> None:
    clips = corpora.joined([corpora.read(data, name) for name in ("emovo", "turev")])
    weights = draw_weights(clips.where(np.arange(len(clips)) != 0))
    assert weights.sum() == pytest.approx(1)
    emovo = clips.corpora[1:] == "emovo"
    assert weights[emovo].sum() == pytest.approx(1.2 / 2.2)
    assert weights[0] == pytest.approx(2 * weights[1])


def test_fast_energies_are_those_of_python_speech_features() -> None:
    for samples in (200, 5000, 32_000):
        sound = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
        theirs = log_energies(sound, SETTINGS)
        assert np.allclose(fast_log_energies(sound, SETTINGS), theirs, atol=1e-3)


def test_a_faster_tempo_reads_more_of_the_clip() -> None:
    ramp = np.repeat(np.arange(100, dtype=np.float16)[:, None], 3, 1)
    assert mel_augment.resampled(ramp, 10, 1.5, 4)[:, 0].tolist() == [10, 11.5, 13, 14.5]
    outside = mel_augment.resampled(ramp, -2, 1, 4)[:, 0]
    assert outside[0] < -40
    assert outside[2:].tolist() == [0, 1]


def test_a_codec_is_for_some_and_the_tempo_has_limits() -> None:
    random = np.random.default_rng(0)
    passed = mel_augment.codec(1000, random)[:, 0]
    assert 0.7 < (passed == 1).all(1).float().mean() < 1
    tempos = [mel_augment.tempo(random) for _ in range(1000)]
    assert min(tempos) >= 0.6
    assert max(tempos) <= 1.6


def test_crema_d_trains_beside_the_other_corpora_or_alone(data: Path, tmp_path: Path) -> None:
    for number, emotion in enumerate(prepare.CREMA_EMOTIONS):
        name = f"{1001 + number % 2}_DFA_{emotion}_XX.wav"
        write_sound(tmp_path / "AudioWAV" / name, 1.5, number)
    prepare.prepare_voice(tmp_path / "AudioWAV", tmp_path / "crema_d")
    clips = corpora.read_prepared(tmp_path / "crema_d")
    assert set(clips.speakers) == {"crema_d/1", "crema_d/2"}
    assert {LABELS[label] for label in clips.labels} == set(prepare.CREMA_EMOTIONS.values())
    both = corpora.joined([clips, corpora.read(data, "turev")])
    assert draw_weights(both)[both.corpora == "crema_d"].sum() == pytest.approx(1.5 / 2.5)


@pytest.mark.usefixtures("three")
def test_a_network_trains_without_the_corpus_that_is_left_out(data: Path, tmp_path: Path) -> None:
    for name in ("ravdess_16k", "emovo"):
        clips = corpora.read(data, name)
        corpora_bank.build(clips, tmp_path / "bank" / name, count=2, workers=1)
    task = CorporaTask(data, tmp_path / "bank", left_out=["turev"])
    assert set(task.clips.corpora) == {"ravdess_16k", "emovo"}
    inputs, targets = next(task.batches(4, torch.device("cpu")))
    assert inputs.shape == (4, 2 * SETTINGS.coefficients, 1, 199)
    assert torch.isfinite(inputs).all()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80 * 199, len(LABELS)))
    assert torch.isfinite(task.loss(network, inputs, targets))
    assert task.calibration(6).shape[0] == 6
    found, labels = task.validation()
    assert len(found) == len(labels) == 2 * 4
    body = VoiceNet(len(LABELS), 2 * SETTINGS.coefficients, 8).eval()
    told = told_of_training(body, task, 10)
    assert told.values.shape == (10, values_of(body, len(body.body)))
    assert torch.isfinite(told.values).all()
    assert set(told.clips) <= set(range(len(task.clips)))


def test_a_bank_of_other_clips_is_refused(data: Path, tmp_path: Path) -> None:
    corpora_bank.build(corpora.read(data, "emovo"), tmp_path / "bank", count=1, workers=1)
    with pytest.raises(SystemExit, match="build again"):
        corpora_bank.read(tmp_path / "bank", 3)
