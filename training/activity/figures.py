"""Every figure of the speech gate's card, measured through the device's own code."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.inference.speech import SpeechActivity
from training.activity import data as activity_data
from training.activity.data import Part, Signal, Windows
from training.common.calibration import cost
from training.voice import corpora
from training.voice import data as voice_data
from training.voice import world as voice_world
from training.voice.windows import loudest, pressed

MOST = 150
QUIETER_DB = -40
STEP = 1 / 32768


def quiet(window: Signal) -> Signal:
    """40 dB quieter, in the steps of a 16-bit recording."""
    return (np.rint(window * 10 ** (QUIETER_DB / 20) / STEP) * STEP).astype(np.float32)


def silences() -> list[Signal]:
    """Nothing, an offset, and the last bit's noise."""
    random, size = np.random.default_rng(7), activity_data.SAMPLES
    bits = [random.integers(-1, 2, size) * STEP for _ in range(48)]
    return [np.asarray(s, np.float32) for s in (np.zeros(size), np.full(size, 0.3), *bits)]


class ActivityFigures:
    """Shares of 2 s windows that were taken for speech or not, as they should be."""

    def __init__(self, model: Path, data: Path) -> None:
        self.path, self.network = model, SpeechActivity(model)
        self.data, self.sounds = data, Path("training/data/sounds")
        self.card = self.network.card

    def calibrate(self) -> None:
        """Nothing: the threshold is in the network's last bias since `training.convert`."""

    def right(self, windows: list[Signal], speech: bool) -> NDArray[np.bool_]:
        return np.array([self.network.is_speech(w) == speech for w in tqdm(windows)])

    def share(self, windows: list[Signal], speech: bool) -> dict[str, Any]:
        return counted(self.right(windows, speech))

    def people(self, part: Part) -> dict[str, Any]:
        """RAVDESS as it is pressed, and turned down, and as a webcam hears it."""
        actors = activity_data.ACTORS[part]
        clips = voice_data.load(self.data, actors).clips
        windows = [pressed(clip) for clip in clips]
        heard = [voice_world.webcam(window, seed) for seed, window in enumerate(windows)]
        where = f"speech, actors {actors[0]}-{actors[-1]}"
        return {
            where: self.share(windows, True),
            f"{where}, 40 dB quieter": self.share([quiet(window) for window in windows], True),
            f"{where}, webcam": self.share(heard, True),
        }

    def sources(self, part: Part) -> dict[str, Any]:
        """Each source apart; words out of one package by language together."""
        groups: dict[tuple[str, bool], list[Signal]] = {}
        for group in activity_data.windows(self.data, self.sounds, part, MOST):
            if group.source != "RAVDESS":
                groups.setdefault((title(group), group.speech), []).extend(group.signals)
        return {
            f"{'speech' if speech else 'not speech'}, {name} ({part})": self.share(signals, speech)
            for (name, speech), signals in groups.items()
        }

    def strangers(self) -> dict[str, Any]:
        """The loudest two seconds of every clip of the other corpora's test speakers."""
        found = {}
        for corpus in corpora.CORPORA:
            clips = activity_data.corpus_clips(self.data, corpus.name, "test")
            found[corpus.name] = self.right([loudest(clip) for clip in clips.sounds()], True)
        return {
            f"speech, {name}": counted(right)
            for name, right in (
                *found.items(),
                ("all nine corpora", np.concatenate([*found.values()])),
            )
        }

    def validation(self) -> dict[str, Any]:
        return {
            "cost": cost(self.path),
            "not speech, silence": self.share(silences(), False),
            **self.people("choose"),
            **self.sources("choose"),
        }

    def test(self) -> dict[str, Any]:
        return {**self.people("test"), **self.strangers(), **self.sources("test")}


def counted(right: NDArray[np.bool_]) -> dict[str, Any]:
    return {"samples": len(right), "accuracy": round(float(right.mean()), 4)}


def title(group: Windows) -> str:
    """The package, or what was made."""
    return group.source.split("/")[0]
