"""Whole clips through the device's own code: as `emotion-edge classify` reads a sound file.

A clip is cut end to end into windows of 2 s (a rest shorter than 0.5 s is left out), and the scores
of its windows are averaged. The speech gate is not asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.speech import SpeechEmotion
from training.common.metrics import Scores, softmax
from training.voice import corpora
from training.voice.corpora import Clips, Signal
from training.voice.data import RATE_HZ
from training.voice.windows import SAMPLES

SHORTEST = RATE_HZ // 2


@dataclass(frozen=True)
class Answers:
    """A network's answers to n clips."""

    logits: NDArray[np.float32]
    """(windows, labels), of all clips one after another"""
    clips: NDArray[np.int64]
    """(windows,): each window's clip"""

    def shifted(self, offsets: NDArray[np.float64]) -> "Answers":
        """The same with `offsets` (labels,) added to all logits, as to the last layer's bias."""
        return Answers((self.logits + offsets).astype(np.float32), self.clips)

    def eight(self, temperature: float) -> Scores:
        """(n, LABELS): each clip's mean scores, as the device has them."""
        windows = softmax(self.logits, temperature)
        summed = np.zeros((int(self.clips[-1]) + 1, windows.shape[1]))
        np.add.at(summed, self.clips, windows)
        return summed / np.bincount(self.clips)[:, None]

    def scores(self, temperature: float) -> Scores:
        """(n, SEVEN): the same, calm counted as neutral."""
        return corpora.scores_of_seven(self.eight(temperature))


def windows(signal: Signal) -> Iterator[Signal]:
    """The signal's windows of at most 2 s, end to end."""
    for start in range(0, signal.size, SAMPLES):
        part = signal[start : start + SAMPLES]
        if start == 0 or part.size >= SHORTEST:
            yield part


def answers(network: SpeechEmotion, clips: Clips) -> Answers:
    """What the network says of each window of each clip."""
    logits, numbers = [], []
    for number, path in enumerate(tqdm(clips.paths, mininterval=5)):
        for window in windows(corpora.read_sound(path)):
            logits.append(network.logits(window))
            numbers.append(number)
    return Answers(np.stack(logits), np.array(numbers))


def save(path: Path, found: Answers) -> None:
    np.savez(path, logits=found.logits, clips=found.clips)


def load(path: Path) -> Answers:
    with np.load(path) as arrays:
        return Answers(arrays["logits"], arrays["clips"])
