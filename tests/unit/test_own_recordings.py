"""One's own recordings are enough to train on: a folder of WAVs whose names begin with emotions."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.inference.speech_features import features
from training import prepare, voice_bank, voice_data

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


def test_a_bank_can_be_made_of_them(recordings: Path, tmp_path: Path) -> None:
    prepare.prepare_voice(recordings, tmp_path / "set")
    voices = voice_data.load(tmp_path / "set")
    bank = voice_bank.build(voices, count=2, workers=1)
    assert bank.clean.shape == (6, 2, *features(voices.clips[0], voice_bank.SETTINGS).shape)
    assert bank.variants == 2


def test_a_name_without_an_emotion_is_named(tmp_path: Path) -> None:
    record(tmp_path / "holiday_1.wav", 200)
    with pytest.raises(SystemExit, match=r"holiday_1\.wav: its name begins with none of neutral"):
        prepare.prepare_voice(tmp_path, tmp_path / "set")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="neither"):
        prepare.prepare_voice(tmp_path, tmp_path / "set")
