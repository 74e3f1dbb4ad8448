"""Every figure of a voice model's card, measured through the device's own code."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge.inference.speech import SpeechEmotion
from training.common import metrics
from training.common.calibration import Labels, Logits, calibrated, cost, measured
from training.common.cards import FLOAT
from training.common.tflite_file import FloatModel
from training.voice import data as voice_data
from training.voice import world as voice_world
from training.voice.left_out_figures import PREFIX
from training.voice.windows import PROTOCOLS, Signal, pressed

Change = Callable[[Signal, np.random.Generator], Signal]

WORLDS: dict[str, Change] = {
    "SNR 15 dB": voice_world.in_noise,
    "another gain": voice_world.with_gain,
    "a small room": voice_world.in_a_room,
}


class VoiceFigures:
    """RAVDESS, one window a clip, cut by each protocol in turn."""

    def __init__(self, model: Path, data: Path) -> None:
        self.path, self.network, self.data = model, SpeechEmotion(model), data
        self.card = self.network.card
        self.twin = FLOAT / model.name
        self.actors = voice_data.read_index(data).actors

    @property
    def chosen_on(self) -> list[int]:
        """Actors 17-20 of RAVDESS; of other recordings the speakers that were held out."""
        return voice_data.split(None, self.actors)[1]

    def logits(self, windows: list[Signal]) -> Logits:
        return np.stack([self.network.logits(window) for window in tqdm(windows)])

    @property
    def left_out(self) -> dict[str, Any]:
        """What the card says of corpora that networks like this one were not trained on.

        `training.voice.leave_one_corpus_out` measures it, with networks that do not ship.
        """
        return {k: v for k, v in self.card.figures.items() if k.startswith(PREFIX)}

    def calibrate(self) -> None:
        """On both protocols together: 480 windows say more than 240.

        A temperature that was fitted on corpora that were left out stays as it is.
        """
        voices = voice_data.load(self.data, self.chosen_on)
        windows = [cut(clip) for cut in PROTOCOLS.values() for clip in voices.clips]
        labels = np.tile(voices.labels, len(PROTOCOLS))
        temperature = self.card.temperature if self.left_out else None
        self.card = calibrated(self.card, self.logits(windows), labels, temperature)

    def in_float(self, voices: voice_data.VoiceSet) -> dict[str, Any]:
        """The accuracy before int8, 'pressed' windows."""
        network = FloatModel(self.twin)
        inputs = [self.network.inputs(pressed(clip)) for clip in voices.clips]
        answers = [network(x).argmax() for x in tqdm(inputs, "before int8")]
        right = np.array(answers) == voices.labels
        return {"samples": len(right), "accuracy": round(float(right.mean()), 4)}

    def told(self, windows: list[Signal], labels: Labels) -> dict[str, Any]:
        """What the card says of a set; so few clips show some calibration error by chance alone."""
        logits = self.logits(windows)
        scores = metrics.softmax(logits, self.card.temperature)
        chance = round(metrics.chance_calibration_error(scores), 4)
        return {**measured(logits, labels, self.card), "chance_calibration_error": chance}

    def in_worlds(self, voices: voice_data.VoiceSet) -> dict[str, Any]:
        """The 'pressed' windows as a webcam hears them: each change alone, then all three."""
        windows = [pressed(clip) for clip in voices.clips]
        worlds = {
            name: [change(w, np.random.default_rng((15, i))) for i, w in enumerate(windows)]
            for name, change in WORLDS.items()
        }
        worlds["webcam: all three"] = [voice_world.webcam(w, i) for i, w in enumerate(windows)]
        return {name: self.told(heard, voices.labels) for name, heard in worlds.items()}

    def figures_of(self, actors: Sequence[int]) -> dict[str, Any]:
        voices = voice_data.load(self.data, actors)
        where = named(actors)
        clean = {
            f"{where}, {protocol} window": self.told(
                [cut(clip) for clip in voices.clips], voices.labels
            )
            for protocol, cut in PROTOCOLS.items()
        }
        worlds = {f"{where}, {name}": found for name, found in self.in_worlds(voices).items()}
        before = {f"{where}, before int8": self.in_float(voices)} if self.twin.exists() else {}
        return {**clean, **before, **worlds}

    def validation(self) -> dict[str, Any]:
        return {"cost": cost(self.path), **self.left_out, **self.figures_of(self.chosen_on)}

    def test(self) -> dict[str, Any]:
        """RAVDESS's unseen actors; and all clips, training clips and all."""
        if not voice_data.is_ravdess(self.actors):
            return {}
        everybody = voice_data.load(self.data)
        windows = [PROTOCOLS["loudest"](clip) for clip in everybody.clips]
        right = self.logits(windows).argmax(1) == everybody.labels
        return {
            **self.figures_of(voice_data.TEST_ACTORS),
            "all actors together, training clips included (says little)": {
                "samples": len(right),
                "accuracy": round(float(right.mean()), 4),
            },
        }


def named(actors: Sequence[int]) -> str:
    """As the card names them: 'actors 17-20', or each where some between are not meant."""
    if actors[-1] - actors[0] == len(actors) - 1 > 0:
        return f"actors {actors[0]}-{actors[-1]}"
    return f"actors {', '.join(map(str, actors))}"
