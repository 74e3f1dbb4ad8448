"""A spoken window to emotion scores. Knows nothing of microphones, nor of earlier recordings."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.inference.card import ModelError
from edge.inference.interpreter import open_model
from edge.inference.speech_features import checked, features
from edge.types import Signal

STEP_S = 0.04
"""Four frames, the steps in which the networks go through time."""


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

    def classify(self, signal: Signal) -> NDArray[np.float32]:
        """Scores (n labels,) that sum to 1 for the first 2 s of a (n,) mono signal at 16 kHz.

        Raises ValueError for a signal that is empty, not mono or not finite.
        """
        return self.card.scores(self.logits(signal))

    def logits(self, signal: Signal) -> NDArray[np.float32]:
        """The network's answer (n labels,), before the temperature."""
        return self._network(self.inputs(signal))

    def inputs(self, signal: Signal) -> NDArray[np.float32]:
        """What the network takes of a signal, before int8: of the card's shape.

        The window begins a whole number of the network's steps before the signal's peak, up to one
        step late, so that a recording that began some milliseconds earlier is heard alike.
        """
        signal = checked(signal)
        step = round(STEP_S * self._settings.rate_hz)
        window = signal[: self._settings.window_samples]
        peak = int(np.argmax(np.abs(window - window.mean())))
        found = features(signal[peak % step :], self._settings)
        return self.card.normalise(found).reshape(self.card.input.shape)
