"""Measure a shipped model through the device's own code: `python -m training.evaluate face`.

Fits the temperature and the labels' reliability on validation data, then writes every figure into
the card. `--validation-only` leaves the test set alone while models are still being chosen.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.card import Card
from edge.inference.face_emotion import FaceEmotion
from edge.inference.speech_emotion import SpeechEmotion
from training import face_data, metrics, voice_data
from training.cards import write_card
from training.voice_windows import PROTOCOLS

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]


def measured(logits: Logits, labels: Labels, card: Card) -> dict[str, Any]:
    return metrics.figures(metrics.softmax(logits, card.temperature), labels, card.labels)


def calibrated(card: Card, logits: Logits, labels: Labels) -> Card:
    """The card with temperature and reliability (F1 per label) from validation logits."""
    temperature = metrics.fit_temperature(logits, labels)
    counts = metrics.confusion(metrics.softmax(logits, temperature), labels)
    reliability = {
        name: round(float(f), 3) for name, f in zip(card.labels, metrics.f1(counts), strict=True)
    }
    return msgspec.structs.replace(card, temperature=round(temperature, 4), reliability=reliability)


class FaceFigures:
    """FER2013, every image as it is."""

    def __init__(self, model: Path, data: Path) -> None:
        self.network, self.data = FaceEmotion(model), data
        self.card = self.network.card

    def logits(self, faces: face_data.FaceSet) -> Logits:
        return np.stack([self.network.logits(image) for image in tqdm(faces.images)])

    def calibrate(self) -> None:
        self.public = face_data.load(self.data, face_data.PUBLIC)
        self.public_logits = self.logits(self.public)
        self.card = calibrated(self.card, self.public_logits, self.public.labels)

    def figures_of(self, faces: face_data.FaceSet, logits: Logits) -> dict[str, Any]:
        """Against the labels, without the leaked images, and against the raters' majority."""
        answers, crowd = logits.argmax(1), face_data.majority(faces.votes)
        right, known = answers == faces.labels, crowd >= 0
        return {
            **measured(logits, faces.labels, self.card),
            "accuracy_without_leaked": round(float(right[~faces.leaked].mean()), 4),
            "leaked": int(faces.leaked.sum()),
            "ferplus_majority_agreement": round(float((answers == crowd)[known].mean()), 4),
            "ferplus_majority_images": int(known.sum()),
        }

    def validation(self) -> dict[str, Any]:
        return {"PublicTest": self.figures_of(self.public, self.public_logits)}

    def test(self) -> dict[str, Any]:
        """PrivateTest; and the desktop script's way of counting, training images and all."""
        private = face_data.load(self.data, face_data.PRIVATE)
        private_logits = self.logits(private)
        seen = face_data.load(self.data, face_data.TRAINING)
        parts = [
            (self.logits(seen), seen),
            (self.public_logits, self.public),
            (private_logits, private),
        ]
        right = np.concatenate([logits.argmax(1) == faces.labels for logits, faces in parts])
        return {
            "PrivateTest": self.figures_of(private, private_logits),
            "all splits together, training images included (says little)": {
                "samples": len(right),
                "accuracy": round(float(right.mean()), 4),
            },
        }


class VoiceFigures:
    """RAVDESS, one window a clip, cut by each protocol in turn."""

    def __init__(self, model: Path, data: Path) -> None:
        self.network, self.data = SpeechEmotion(model), data
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
        return self.figures_of(voice_data.VALIDATION_ACTORS)

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


TASKS = {"face": (FaceFigures, "fer2013.npz"), "voice": (VoiceFigures, "ravdess_16k")}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--model", type=Path, help="default models_tflite/TASK_emotion.tflite")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--validation-only", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parse()
    measure, data = TASKS[options.task]
    model = options.model or Path("models_tflite") / f"{options.task}_emotion.tflite"
    run = measure(model, options.data / data)
    run.calibrate()
    figures = run.validation() | ({} if options.validation_only else run.test())
    write_card(model, msgspec.structs.replace(run.card, figures=figures))
    for name, values in figures.items():
        shares = [f"{k} {v}" for k, v in values.items() if isinstance(v, int | float)]
        print(f"{name}: {', '.join(shares)}")


if __name__ == "__main__":
    main()
