"""Speech or not: voices at any level are, silence, noise, tones and claps are not."""

from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from edge.inference.card import ModelError
from edge.inference.speech import SpeechActivity
from tests.support.models import GATE, VOICE, research_data
from training.activity.sounds import MAKERS
from training.voice.windows import pressed

RATE_HZ = 16_000

TIMES = np.arange(2 * RATE_HZ) / RATE_HZ


@pytest.fixture(scope="module")
def gate() -> SpeechActivity:
    return SpeechActivity(GATE)


def noise(rms: float = 0.05) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(len(TIMES)) * rms


def spoken() -> np.ndarray:
    """A sentence that the gate was not trained on."""
    clip = research_data("ravdess_16k") / "Actor_21" / "03-01-04-01-01-01-21.flac"
    return pressed(soundfile.read(clip, dtype="float32")[0])


def hum(start_s: float = 0) -> np.ndarray:
    waves = sum(np.sin(2 * np.pi * 100 * k * TIMES + k) / k for k in range(1, 9))
    return np.where(start_s <= TIMES, waves, 0) * 0.02 + noise(1e-4)


def beep(pitch_hz: float, start_s: float = 0, end_s: float = 2) -> np.ndarray:
    on = (start_s <= TIMES) & (end_s > TIMES)
    return on * np.sin(2 * np.pi * pitch_hz * TIMES) * 0.1 + noise(1e-3)


def claps() -> np.ndarray:
    fading = sum((t < TIMES) * np.exp(-30 * np.maximum(TIMES - t, 0)) for t in (0.3, 0.9, 1.4))
    return fading * noise(0.2) + noise(1e-3)


@pytest.mark.data
@pytest.mark.parametrize("gain", [3, 1, 0.1, 0.003])
def test_voice_is_speech_at_any_level(gate: SpeechActivity, gain: float) -> None:
    assert gate.is_speech((spoken() * gain).astype(np.float32))


@pytest.mark.data
def test_voice_over_room_noise_is_speech(gate: SpeechActivity) -> None:
    voice = spoken()
    noisy = voice + noise(voice.std() * 10 ** (-15 / 20))[: len(voice)]
    assert gate.is_speech(noisy.astype(np.float32))


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
def test_other_sound_is_not_speech(gate: SpeechActivity, sound: Callable[[], np.ndarray]) -> None:
    assert not gate.is_speech(sound().astype(np.float32))


@pytest.mark.data
def test_sound_too_short_for_a_word_is_not_speech(gate: SpeechActivity) -> None:
    assert not gate.is_speech(spoken()[:1000].astype(np.float32))


def test_sound_that_is_not_finite_is_refused(gate: SpeechActivity) -> None:
    with pytest.raises(ValueError, match="not finite"):
        gate.is_speech(np.full(RATE_HZ, np.nan, np.float32))


@pytest.mark.data
def test_real_speech_is_speech_even_when_quiet(gate: SpeechActivity) -> None:
    folder = research_data("ravdess_16k")
    clips = sorted(path for actor in range(17, 21) for path in folder.glob(f"Actor_{actor}/*"))[::8]
    answers = [gate.is_speech(soundfile.read(clip, dtype="float32")[0] * 0.01) for clip in clips]
    assert sum(answers) >= len(clips) - 1


def test_made_music_is_not_speech(gate: SpeechActivity) -> None:
    random = np.random.default_rng(99)
    answers = [gate.is_speech(MAKERS["music"](random)) for _ in range(40)]
    assert sum(answers) <= 2


def test_another_kind_of_model_is_refused() -> None:
    with pytest.raises(ModelError, match="a speech-emotion model where a speech-activity"):
        SpeechActivity(VOICE)
