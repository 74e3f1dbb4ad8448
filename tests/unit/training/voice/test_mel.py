"""What is altered between mel energies and MFCC comes out as the device would hear it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from edge.inference.speech_features import features
from training.voice import data as voice_data
from training.voice import mel
from training.voice.bank import SETTINGS, log_energies

RATE_HZ = voice_data.RATE_HZ
FRAMES = 199


@pytest.fixture(scope="module")
def microphone() -> mel.Microphone:
    return mel.Microphone(SETTINGS)


@pytest.fixture
def sound() -> np.ndarray:
    """Three seconds of noise that swells, louder than the floor everywhere."""
    swell = np.linspace(0.05, 0.2, 3 * RATE_HZ)
    noise = np.random.default_rng(3).standard_normal(len(swell)) * swell
    return noise.astype(np.float32)


def energies(sound: np.ndarray) -> "torch.Tensor":
    return torch.from_numpy(log_energies(sound, SETTINGS)).exp()[None]


def test_a_window_cut_from_energies_has_the_devices_features(
    microphone: mel.Microphone, sound: np.ndarray
) -> None:
    start = 30
    part = energies(sound)[:, start : start + FRAMES]
    window = sound[start * RATE_HZ // 100 :]
    power = mel.per_row(np.array([np.square(window[: 2 * RATE_HZ]).mean()]))
    level = microphone.levelled(part, power, np.random.default_rng(0))
    ours, theirs = microphone.features(level)[0].numpy(), features(window, SETTINGS)
    # The window's end cuts the last frame, and delta reaches two frames around it.
    assert np.abs(ours - theirs)[3:-3].max() < 0.5
    assert np.abs(ours - theirs)[3:-3].mean() < 0.05


def test_the_power_of_a_sound_is_found_in_its_energies(
    microphone: mel.Microphone, sound: np.ndarray
) -> None:
    found = float(microphone.power(energies(sound)))
    assert found == pytest.approx(float(np.square(sound).mean()), rel=0.05)


def test_no_two_hearings_of_a_sound_are_alike(
    microphone: mel.Microphone, sound: np.ndarray
) -> None:
    part = energies(sound)[:, :FRAMES]
    random = np.random.default_rng(0)
    once, again = microphone.heard(part, random), microphone.heard(part, random)
    assert once.shape == (1, FRAMES, 2 * SETTINGS.coefficients)
    assert not torch.allclose(once, again)


def test_a_longer_throat_moves_the_resonances_down() -> None:
    peak = torch.full((1, 1, 40), 1e-6)
    peak[..., 20] = 1.0
    assert mel.warped(peak, np.array([0.9])).argmax() == 18
    assert mel.warped(peak, np.array([1.0])).argmax() == 20
    assert mel.warped(peak, np.array([1.1])).argmax() == 22


def test_a_masked_filter_holds_its_mean() -> None:
    rising = torch.linspace(0, 1, FRAMES).exp()[None, :, None].expand(1, -1, 40)
    masked = mel.deaf(rising, np.random.default_rng(2))
    changed = (masked != rising).any(1)[0]
    assert 0 < changed.sum() <= mel.MASK_FILTERS
    assert torch.allclose(masked[0, :, changed].log().std(0), torch.zeros(int(changed.sum())))
