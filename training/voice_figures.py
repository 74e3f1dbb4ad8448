"""Every figure of a voice model's card, measured through the device's own code."""

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge.inference.speech_emotion import SpeechEmotion
from training import voice_data
from training.calibration import Logits, calibrated, cost, measured
from training.voice_windows import PROTOCOLS


class VoiceFigures:
    """RAVDESS, one window a clip, cut by each protocol in turn."""

    def __init__(self, model: Path, data: Path) -> None:
        self.path, self.network, self.data = model, SpeechEmotion(model), data
        self.card = self.network.card

    def logits(self, voices: voice_data.VoiceSet, protocol: str) -> Logits:
        cut = PROTOCOLS[protocol]
        return np.stack([self.network.logits(cut(clip)) for clip in tqdm(voices.clips)])

    def calibrate(self) -> None:
        voices = voice_data.load(self.data, voice_data.VALIDATION_ACTORS)
        self.card = calibrated(self.card, self.logits(voices, "loudest"), voices.labels)

    def figures_of(self, actors: range) -> dict[str, Any]:
        voices = voice_data.load(self.data, actors)
        where = f"actors {actors[0]}-{actors[-1]}"
        return {
            f"{where}, {protocol} window": measured(
                self.logits(voices, protocol), voices.labels, self.card
            )
            for protocol in PROTOCOLS
        }

    def validation(self) -> dict[str, Any]:
        return {"cost": cost(self.path), **self.figures_of(voice_data.VALIDATION_ACTORS)}

    def test(self) -> dict[str, Any]:
        """The unseen actors; and all clips, training clips and all."""
        everybody = voice_data.load(self.data, range(1, 25))
        right = self.logits(everybody, "loudest").argmax(1) == everybody.labels
        return {
            **self.figures_of(voice_data.TEST_ACTORS),
            "all actors together, training clips included (says little)": {
                "samples": len(right),
                "accuracy": round(float(right.mean()), 4),
            },
        }
