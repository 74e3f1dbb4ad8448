"""What voices are trained on and measured in: windows, rooms, folds, the bank."""

from pathlib import Path

import numpy as np
import pytest

from edge.inference.speech_features import features, level_dbfs, rms
from training.voice import augment as voice_augment
from training.voice import bank as voice_bank
from training.voice import data as voice_data
from training.voice import windows as voice_windows
from training.voice import world as voice_world

SAMPLES = 2 * voice_data.RATE_HZ


@pytest.fixture
def clip() -> np.ndarray:
    """Three seconds of a buzzing that comes and goes."""
    times = np.arange(3 * voice_data.RATE_HZ) / voice_data.RATE_HZ
    buzz = np.sign(np.sin(2 * np.pi * 150 * times)) * np.clip(np.sin(2 * np.pi * times), 0, 1)
    return (0.1 * buzz).astype(np.float32)


def test_noise_is_as_far_below_the_voice_as_was_asked_for(clip: np.ndarray) -> None:
    noise = voice_augment.noise_like(clip, 0.5, np.random.default_rng(0))
    added = voice_augment.mixed(clip, noise, snr_db=15) - clip
    assert 20 * np.log10(rms(clip) / rms(added)) == pytest.approx(15, abs=0.01)


@pytest.mark.parametrize("tilt", [0.5, 1.0])
def test_noise_sounds_the_same_however_long_it_is(tilt: float) -> None:
    def share_above_50_hz(seconds: int) -> float:
        silence = np.zeros(seconds * voice_data.RATE_HZ, np.float32)
        noise = voice_augment.noise_like(silence, tilt, np.random.default_rng(0))
        power = np.square(np.abs(np.fft.rfft(noise)))
        return float(power[50 * seconds :].sum() / power.sum())

    assert share_above_50_hz(60) == pytest.approx(share_above_50_hz(2), rel=0.15)


def test_a_webcams_world_is_the_same_for_the_same_seed_only(clip: np.ndarray) -> None:
    heard = voice_world.webcam(clip, 3)
    assert np.array_equal(heard, voice_world.webcam(clip, 3))
    assert not np.array_equal(heard, voice_world.webcam(clip, 4))
    assert level_dbfs(heard) < level_dbfs(clip) - 3


def test_a_room_begins_with_the_direct_sound_and_dies_away() -> None:
    response = voice_world.echoes(np.random.default_rng(0))
    energy = np.square(response)
    assert response[0] > 0
    assert energy[len(energy) // 2 :].sum() < 0.1 * energy.sum()


def test_a_press_begins_shortly_before_the_speech_and_the_loudest_window_holds_it() -> None:
    speech = np.zeros(4 * voice_data.RATE_HZ, np.float32)
    speech[voice_data.RATE_HZ : 3 * voice_data.RATE_HZ] = 0.1
    silence_s = voice_windows.LEAD_S
    pressed, loudest = voice_windows.pressed(speech), voice_windows.loudest(speech)
    assert len(pressed) == len(loudest) == SAMPLES
    assert np.flatnonzero(pressed)[0] == pytest.approx(silence_s * voice_data.RATE_HZ)
    assert loudest.all()


def test_every_actor_is_held_out_in_one_fold_and_trained_on_in_the_others() -> None:
    folds = [voice_data.split(fold) for fold in range(voice_data.FOLDS)]
    assert sorted(a for _, held_out in folds for a in held_out) == list(voice_data.ACTORS)
    assert all(not set(trained) & set(held_out) for trained, held_out in folds)


def test_every_fold_holds_out_men_and_women() -> None:
    held_out = [voice_data.split(fold)[1] for fold in range(voice_data.FOLDS)]
    assert all({actor % 2 for actor in fold} == {0, 1} for fold in held_out)


def test_the_release_never_trains_on_those_it_is_chosen_or_measured_on() -> None:
    trained, held_out = voice_data.split(None)
    assert not set(trained) & {*held_out, *voice_data.TEST_ACTORS}


def test_the_bank_holds_the_measured_windows_and_is_the_same_again(clip: np.ndarray) -> None:
    voices = voice_data.VoiceSet([clip], np.array([0]), np.array([1]))
    once, again = (voice_bank.build(voices, count=3, workers=1) for _ in range(2))
    assert once.variants == 3
    assert np.array_equal(once.energies, again.energies)
    plain = features(voice_bank.CLEAN[0](clip), voice_bank.SETTINGS)
    assert np.array_equal(once.clean[0, 0], plain.astype(np.float16))
    assert len(once.variant(0, 0)) == pytest.approx(300, abs=1)


def test_a_bank_of_other_data_is_refused(tmp_path: Path) -> None:
    bank = tmp_path / "bank.npz"
    np.savez(bank, clean=np.zeros((3, 2, 1, 1)), energies=np.zeros((3, 1)), begins=np.arange(4))
    with pytest.raises(SystemExit, match="of 3 clips, but the data has 4"):
        voice_bank.read(bank, 4)
    with pytest.raises(SystemExit, match="make it with"):
        voice_bank.read(tmp_path / "none.npz", 4)
