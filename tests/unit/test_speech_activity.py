"""Speech or not: voices at any level are, silence, noise, tones and claps are not."""

from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from edge.inference.speech_activity import is_speech
from tests.models import research_data

RATE_HZ = 16_000
TIMES = np.arange(2 * RATE_HZ) / RATE_HZ


def noise(rms: float = 0.05) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(len(TIMES)) * rms


def spoken() -> np.ndarray:
    """A made voice: pulses of gliding pitch through three formants, in four syllables."""
    pitch_hz = 130 + 30 * np.sin(2 * np.pi * 0.7 * TIMES)
    pulses = np.diff(np.floor(np.cumsum(pitch_hz) / RATE_HZ), prepend=0)
    for formant_hz, width_hz in ((600, 80), (1200, 100), (2500, 150)):
        radius = np.exp(-np.pi * width_hz / RATE_HZ)
        turn = 2 * np.pi * formant_hz / RATE_HZ
        pulses = lfilter([1 - radius], [1, -2 * radius * np.cos(turn), radius**2], pulses)
    syllables = np.clip(np.sin(2 * np.pi * 2 * TIMES), 0, 1)
    return pulses * syllables / np.abs(pulses).max() * 0.3


def hum(start_s: float = 0) -> np.ndarray:
    waves = sum(np.sin(2 * np.pi * 100 * k * TIMES + k) / k for k in range(1, 9))
    return np.where(start_s <= TIMES, waves, 0) * 0.02 + noise(1e-4)


def beep(pitch_hz: float, start_s: float = 0, end_s: float = 2) -> np.ndarray:
    on = (start_s <= TIMES) & (end_s > TIMES)
    return on * np.sin(2 * np.pi * pitch_hz * TIMES) * 0.1 + noise(1e-3)


def claps() -> np.ndarray:
    fading = sum((t < TIMES) * np.exp(-30 * np.maximum(TIMES - t, 0)) for t in (0.3, 0.9, 1.4))
    return fading * noise(0.2) + noise(1e-3)


@pytest.mark.parametrize("gain", [3, 1, 0.1, 0.003])
def test_voice_is_speech_at_any_level(gain: float) -> None:
    assert is_speech((spoken() * gain).astype(np.float32), RATE_HZ)


def test_voice_over_room_noise_is_speech() -> None:
    voice = spoken()
    noisy = voice + noise(voice.std() * 10 ** (-15 / 20))
    assert is_speech(noisy.astype(np.float32), RATE_HZ)


@pytest.mark.parametrize(
    "sound",
    [
        lambda: TIMES * 0,
        lambda: TIMES * 0 + 0.3,
        lambda: np.rint(noise() * 20) / 32768,
        lambda: noise(1e-4),
        lambda: noise(0.2),
        lambda: np.cumsum(noise(0.002)),
        lambda: np.where(TIMES > 0.8, 1, 0.01) * noise(),
        lambda: beep(440),
        lambda: beep(150),
        lambda: beep(1000, 0.7, 1.3),
        lambda: hum(),
        lambda: hum(start_s=1),
        claps,
    ],
    ids=[
        "zeros",
        "offset",
        "last-bit",
        "hiss",
        "white",
        "brown",
        "fan-starts",
        "tone",
        "low-tone",
        "beep",
        "hum",
        "hum-starts",
        "claps",
    ],
)
def test_other_sound_is_not_speech(sound: Callable[[], np.ndarray]) -> None:
    assert not is_speech(sound().astype(np.float32), RATE_HZ)


def test_sound_too_short_for_a_word_is_not_speech() -> None:
    assert not is_speech(spoken()[:1000].astype(np.float32), RATE_HZ)


def test_sound_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        is_speech(np.full(RATE_HZ, np.nan, np.float32), RATE_HZ)


def test_real_speech_is_speech_even_when_quiet() -> None:
    folder = research_data("ravdess_16k")
    clips = sorted(path for actor in range(17, 21) for path in folder.glob(f"Actor_{actor}/*"))[::8]
    heard = [is_speech(soundfile.read(clip, dtype="float32")[0] * 0.01, RATE_HZ) for clip in clips]
    assert sum(heard) >= len(clips) - 1
