"""A sound in, its emotion out: resampled, gated by speech activity, classified, decided."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.config import AudioConfig
from edge.devices.microphone.sound_file import resample
from edge.inference.speech import SpeechActivity, SpeechEmotion
from edge.inference.speech_features import SILENCE_DBFS, level_dbfs
from edge.policy.decision import decide, rounded
from edge.types import Signal

RATE_HZ = 16_000
"""What the networks take."""
MIN_WINDOW_S = 0.5
"""A rest at the end of a sound that is shorter than this is no window of its own."""


class VoiceResult(NamedTuple):
    """What a sound expresses; without speech there is no emotion."""

    speech: bool = False
    emotion: str | None = None
    confidence: float | None = None
    scores: dict[str, float] | None = None
    level_dbfs: float = SILENCE_DBFS


class VoiceAnalyzer:
    """Finds whether anybody speaks in a sound, and with which emotion."""

    def __init__(
        self, activity: SpeechActivity, classifier: SpeechEmotion, threshold: float
    ) -> None:
        """`threshold`: below this score the emotion is `uncertain`."""
        self._activity = activity
        self._classifier = classifier
        self._threshold = threshold

    @classmethod
    def from_config(cls, config: AudioConfig, threads: int) -> "VoiceAnalyzer":
        """With the networks of the settings. Raises ModelError."""
        activity = SpeechActivity(Path(config.activity_model), threads)
        return cls(activity, SpeechEmotion(Path(config.model), threads), config.threshold)

    def warm_up(self) -> None:
        """The first inferences are slow: have them before the first recording."""
        silence = np.zeros(RATE_HZ, np.float32)
        self._activity.score(silence)
        self._classifier.classify(silence)

    def has_speech(self, signal: Signal, rate_hz: int) -> bool:
        """Whether somebody speaks in the first 2 s of a (n,) mono signal; not in an empty one."""
        return bool(signal.size) and self._activity.is_speech(resample(signal, rate_hz, RATE_HZ))

    def analyze(self, signal: Signal, rate_hz: int = RATE_HZ) -> VoiceResult:
        """The first 2 s of a (n,) mono signal, full scale -1..1."""
        signal = resample(signal, rate_hz, RATE_HZ)
        level = round(level_dbfs(signal), 1)
        if not self._activity.is_speech(signal):
            return VoiceResult(level_dbfs=level)
        values = self._classifier.classify(signal).tolist()
        scores = rounded(dict(zip(self._classifier.labels, values, strict=True)))
        return VoiceResult(True, *decide(scores, self._threshold), scores, level)

    def combine(self, results: Sequence[VoiceResult]) -> VoiceResult:
        """The whole of several windows: the mean scores of those with speech."""
        spoken = [result.scores for result in results if result.scores]
        if not spoken:
            return VoiceResult()
        mean = {label: sum(s[label] for s in spoken) / len(spoken) for label in spoken[0]}
        scores = rounded(mean)
        return VoiceResult(True, *decide(scores, self._threshold), scores)


def level_of(signal: Signal) -> float | None:
    """dBFS of a (n,) signal; None of an empty one."""
    return level_dbfs(signal) if signal.size else None


def windows(parts: Iterable[Signal], window_s: float) -> Iterator[tuple[float, Signal]]:
    """(start in s, samples) of the windows in a signal at RATE_HZ that comes in parts."""
    size = round(window_s * RATE_HZ)
    start, rest = 0, np.empty(0, np.float32)
    for part in parts:
        rest = np.concatenate([rest, part])
        while rest.size >= size:
            yield start / RATE_HZ, rest[:size]
            start, rest = start + size, rest[size:]
    if rest.size and (start == 0 or rest.size >= MIN_WINDOW_S * RATE_HZ):
        yield start / RATE_HZ, rest
