"""One's own recordings are enough to train on: a folder of WAVs whose names begin with emotions."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.inference.card import load_card
from edge.inference.speech_features import features
from tests.support.models import VOICE, copy_of
from training import evaluate, prepare
from training.voice import bank as voice_bank
from training.voice import data as voice_data

RATE_HZ = 48_000


def record(path: Path, pitch_hz: float) -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    wave = 0.1 * np.sin(2 * np.pi * pitch_hz * times)
    soundfile.write(path, np.stack([wave, wave], 1), RATE_HZ)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded"
    folder.mkdir()
    for emotion, pitch_hz in (("happy", 300.0), ("sad", 120.0)):
        for speaker in ("anna", "ben", "eva"):
            record(folder / f"{emotion}_{speaker}_1.wav", pitch_hz)
    return folder


def test_recordings_named_by_emotion_and_speaker_become_a_set(
    recordings: Path, tmp_path: Path
) -> None:
    prepare.prepare_voice(recordings, tmp_path / "set")
    voices = voice_data.load(tmp_path / "set")
    assert [voice_data.LABELS[label] for label in voices.labels] == ["happy"] * 3 + ["sad"] * 3
    assert voices.actors.tolist() == [1, 2, 3, 1, 2, 3]
    assert {len(clip) for clip in voices.clips} == {voice_data.RATE_HZ}


def test_of_other_people_than_ravdess_one_is_held_out(recordings: Path, tmp_path: Path) -> None:
    prepare.prepare_voice(recordings, tmp_path / "set")
    index = voice_data.read_index(tmp_path / "set")
    assert voice_data.split(None, index.actors) == ([2, 3], [1])


def test_recordings_of_one_nameless_speaker_can_still_be_split(tmp_path: Path) -> None:
    for number in range(10):
        record(tmp_path / f"angry-{number}.wav", 200)
    prepare.prepare_voice(tmp_path, tmp_path / "set")
    trained, held_out = voice_data.split(None, voice_data.read_index(tmp_path / "set").actors)
    assert (trained, held_out) == ([2, 3, 4, 5], [1])


def test_recordings_of_one_named_speaker_can_still_be_split(tmp_path: Path) -> None:
    for number in range(10):
        record(tmp_path / f"angry_anna_{number}.wav", 200)
    prepare.prepare_voice(tmp_path, tmp_path / "set")
    trained, held_out = voice_data.split(None, voice_data.read_index(tmp_path / "set").actors)
    assert (trained, held_out) == ([2, 3, 4, 5], [1])


@pytest.mark.parametrize("speakers", [16, 30])
def test_of_many_other_people_every_fifth_is_held_out(speakers: int) -> None:
    present = list(range(1, speakers + 1))
    trained, held_out = voice_data.split(None, present)
    assert held_out == present[::5]
    assert sorted(trained + held_out) == present


def test_more_people_than_ravdess_has_are_all_read(tmp_path: Path) -> None:
    for speaker in range(25):
        record(tmp_path / f"happy_p{speaker}_1.wav", 200)
    prepare.prepare_voice(tmp_path, tmp_path / "set")
    assert len(voice_data.load(tmp_path / "set")) == 25


def test_two_recordings_of_one_name_are_refused(recordings: Path, tmp_path: Path) -> None:
    (recordings / "again").mkdir()
    record(recordings / "again" / "happy_anna_1.wav", 250)
    with pytest.raises(SystemExit, match=r"two recordings named happy_anna_1\.wav"):
        prepare.prepare_voice(recordings, tmp_path / "set")


def test_of_ravdess_only_speech_is_taken(tmp_path: Path) -> None:
    (tmp_path / "Actor_03").mkdir()
    for name in ("03-01-05-01-01-01-03", "03-02-05-01-01-01-03"):
        record(tmp_path / "Actor_03" / f"{name}.wav", 200)
    prepare.prepare_voice(tmp_path, tmp_path / "set")
    index = voice_data.read_index(tmp_path / "set")
    assert [path.stem for path in index.paths] == ["03-01-05-01-01-01-03"]
    assert (index.labels.tolist(), index.actors.tolist()) == ([4], [3])


def test_a_bank_can_be_made_of_them(recordings: Path, tmp_path: Path) -> None:
    prepare.prepare_voice(recordings, tmp_path / "set")
    voices = voice_data.load(tmp_path / "set")
    bank = voice_bank.build(voices, count=2, workers=1)
    assert bank.clean.shape == (6, 2, *features(voices.clips[0], voice_bank.SETTINGS).shape)
    assert bank.variants == 2


def test_a_network_is_measured_on_those_of_them_that_were_held_out(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.prepare_voice(recordings, tmp_path / "set")
    model = copy_of(VOICE, tmp_path, figures={}, temperature=3.0)
    command = ["evaluate", "voice", "--model", str(model), "--data", str(tmp_path / "set")]
    monkeypatch.setattr(sys, "argv", command)
    evaluate.main()
    card = load_card(model)
    assert card.figures["actors 1, pressed window"]["samples"] == 2
    assert not [name for name in card.figures if "21" in name or "all actors" in name]
    assert card.temperature != 3.0


def test_a_name_without_an_emotion_is_named(tmp_path: Path) -> None:
    record(tmp_path / "holiday_1.wav", 200)
    with pytest.raises(SystemExit, match=r"holiday_1\.wav: its name begins with none of neutral"):
        prepare.prepare_voice(tmp_path, tmp_path / "set")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="neither"):
        prepare.prepare_voice(tmp_path, tmp_path / "set")
