"""The two speech networks: did anybody speak, and with which emotion.

They know nothing of microphones, nor of earlier recordings. A network of its own decides about
speech, on the kind of features that the emotion network takes: rules about level, pitch and its
movement tell speech from noise and tones, but not from a melody.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.inference.card import ModelError
from edge.inference.interpreter import open_model
from edge.inference.speech_features import checked, features, rms
from edge.types import Signal, Vector

STEP_S = 0.04
"""Four frames, the steps in which the networks go through time."""
MIN_SPEECH_S = 0.2
"""A sound shorter than this contains no word."""
MIN_RMS = 3e-6
"""A tenth of a step of 16-bit samples: below it there is no sound."""
SPEECH = "speech"


class SpeechActivity:
    """A speech-activity network. Raises ModelError if the model or its card is unusable."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self.card, self._network = open_model(model, "speech-activity", threads)
        if self.card.features is None or SPEECH not in self.card.labels:
            raise ModelError(f"{model}: its card has no feature settings, or no label `{SPEECH}`")
        self._settings = self.card.features
        self._speech = self.card.labels.index(SPEECH)

    def is_speech(self, signal: Signal) -> bool:
        """Whether a voice is in the first 2 s of a (n,) mono signal at 16 kHz.

        False for one too short to contain a word. Raises ValueError for a signal that is empty, not
        mono or not finite.
        """
        too_short = checked(signal).size < MIN_SPEECH_S * self._settings.rate_hz
        return not too_short and rms(signal) >= MIN_RMS and self.score(signal) > 0.5

    def score(self, signal: Signal) -> float:
        """The probability of speech, 0 to 1, in the first 2 s of such a signal."""
        x = self.card.normalise(features(signal, self._settings))
        scores = self.card.scores(self._network(x.reshape(self.card.input.shape)))
        return float(scores[self._speech])


class SpeechEmotion:
    """A speech-emotion network. Raises ModelError if the model or its card is unusable."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self.card, self._network = open_model(model, "speech-emotion", threads)
        if self.card.features is None:
            raise ModelError(f"{model}: its card has no feature settings")
        self._settings = self.card.features

    @property
    def labels(self) -> tuple[str, ...]:
        """What each score is of, in order."""
        return self.card.labels

    def classify(self, signal: Signal) -> Vector:
        """Scores (n labels,) that sum to 1 for the first 2 s of a (n,) mono signal at 16 kHz.

        Raises ValueError for a signal that is empty, not mono or not finite.
        """
        return self.card.scores(self.logits(signal))

    def logits(self, signal: Signal) -> Vector:
        """The network's output (n labels,), before the temperature."""
        return self._network(self.inputs(signal))

    def inputs(self, signal: Signal) -> NDArray[np.float32]:
        """What the network takes of a signal, before int8: of the card's shape.

        The window begins a whole number of the network's steps before the signal's peak, up to one
        step late, so that it does not matter if a recording began some milliseconds earlier.
        """
        signal = checked(signal)
        step = round(STEP_S * self._settings.rate_hz)
        window = signal[: self._settings.window_samples]
        peak = int(np.argmax(np.abs(window - window.mean())))
        found = features(signal[peak % step :], self._settings)
        return self.card.normalise(found).reshape(self.card.input.shape)
