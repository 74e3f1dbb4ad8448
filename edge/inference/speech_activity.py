"""Did anybody speak? A yes or no for a recording, whatever its level; no vendor, no message.

A small network of its own decides, on the kind of features that the emotion network takes: rules
about level, pitch and its movement tell speech from noise and tones, but not from a melody.
"""

from pathlib import Path

from edge.inference.card import ModelError
from edge.inference.interpreter import open_model
from edge.inference.speech_features import checked, features, rms
from edge.types import Signal

MIN_SPEECH_S = 0.2
"""A sound shorter than this holds no word."""
NOTHING_RMS = 3e-6
"""What a 16-bit recording cannot hold: below a tenth of its step there is nothing to judge."""
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

        False for one too short to hold a word. Raises ValueError for a signal that is empty, not
        mono or not finite.
        """
        if (
            checked(signal).size < MIN_SPEECH_S * self._settings.rate_hz
            or rms(signal) < NOTHING_RMS
        ):
            return False
        return self.score(signal) > 0.5

    def score(self, signal: Signal) -> float:
        """The probability of speech, 0 to 1, in the first 2 s of such a signal."""
        x = self.card.normalise(features(signal, self._settings))
        scores = self.card.scores(self._network(x.reshape(self.card.input.shape)))
        return float(scores[self._speech])
