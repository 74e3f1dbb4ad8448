"""`python -m benchmarks.first_word`: are recordings right that begin with the first word?

Plays clips after 0.2 to 1.5 s of background to the audio service, on a real bus and twenty times
faster than real time, and presses once for each when the background begins. A clip comes whole,
with the second of silence before its words, or cut, so that the pause is all that comes before
them. The background lies under everything, so many dB below the voice: a room's noise of a random
colour, from white to brown, four other voices, or music. Compared are each scene's loudest 2 s, and
the clips without it: their loudest 2 s, and whole clips as `classify` reads them. What is chosen is
chosen with `--actors 17 18 19 20`.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np

from edge.bus.messages import AudioMessage, Press, RecordingMessage
from edge.bus.pubsub import Publisher
from edge.config import AudioConfig, BusConfig, Config
from edge.inference.speech_features import rms
from edge.pipeline.voice import RATE_HZ, VoiceAnalyzer, windows
from edge.services import audio, hub
from edge.types import Signal
from tests.support.harness import Listener, listening, publishing, running
from training.activity.sounds import music
from training.voice import data as voice_data
from training.voice.augment import noise_like
from training.voice.windows import loudest, speech_start

Random = np.random.Generator

PAUSE_S = (0.2, 1.5)
BEFORE_S = 0.05
"""A clip that is cut begins so long before its words."""
AFTER_S = 6.0
SPEED = 20
WAYS = {"at once (`wait_s = 0`)": 0.0, "from the first word": AudioConfig().wait_s}


class SceneMicrophone:
    """Gives what `scene` holds, twenty times faster than it would sound."""

    about = "a scene"
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.scene: Signal = np.zeros(1, np.float32)
        self._position = 0

    def open(self) -> "SceneMicrophone":
        self._position = 0
        return self

    def read(self, samples: int) -> Signal:
        time.sleep(samples / RATE_HZ / SPEED)
        part = self.scene[self._position : self._position + samples]
        self._position += samples
        return np.pad(part, (0, samples - part.size))

    def close(self) -> None:
        """Nothing is open."""


class Answer(NamedTuple):
    """What the device answered: a label or None, and how long after the press, s of sound."""

    label: str | None
    after_s: float


def best(scores: dict[str, float] | None) -> str | None:
    """The label with the highest score, above the threshold or not."""
    return max(scores, key=lambda label: scores[label]) if scores else None


class Kind(NamedTuple):
    """What lies under a clip, and whether the clip's own silence is left out."""

    background: str
    below_db: float
    cut: bool

    def __str__(self) -> str:
        clips = "cut" if self.cut else "whole"
        return f"{self.background} {self.below_db:g} dB below {clips} clips"


KINDS = (
    Kind("room", 40, cut=False),
    Kind("room", 15, cut=False),
    Kind("room", 40, cut=True),
    Kind("room", 15, cut=True),
    Kind("voices", 15, cut=True),
    Kind("music", 15, cut=True),
)


def background(kind: str, samples: int, clips: list[Signal], random: Random) -> Signal:
    """So many samples of it, at any level."""
    if kind == "voices":
        chosen = random.choice(len(clips), 4, replace=False)
        others = [np.resize(loudest(clips[row]), samples) for row in chosen]
        return np.asarray(np.sum(others, axis=0), np.float32)
    if kind == "music":
        return np.resize(np.concatenate([music(random) for _ in range(3)]), samples)
    return noise_like(np.zeros(samples, np.float32), random.uniform(0, 1), random)


def scene(kind: Kind, clips: list[Signal], number: int) -> Signal:
    """A pause, the clip, and more background than a recording takes; the same number, the same."""
    random, clip = np.random.default_rng(number), clips[number]
    pause = round(random.uniform(*PAUSE_S) * RATE_HZ)
    if kind.cut:
        clip = clip[max(0, speech_start(clip) - round(BEFORE_S * RATE_HZ)) :]
    sound = np.pad(clip, (pause, round(AFTER_S * RATE_HZ)))
    below = background(kind.background, sound.size, clips, random)
    gain = 10 ** (-kind.below_db / 20) * rms(loudest(clip)) / rms(below)
    return (sound + below * gain).astype(np.float32)


class Bench:
    """The audio service, its bus, and its microphone."""

    def __init__(self, microphone: SceneMicrophone, listener: Listener, press: Publisher) -> None:
        self._microphone = microphone
        self._listener = listener
        self._publisher = press

    def answer(self, sound: Signal) -> Answer:
        """Press when `sound` begins."""
        self._microphone.scene = sound
        self._listener.until(lambda _, m: isinstance(m, RecordingMessage) and m.phase == "idle")
        self._listener.received.clear()
        press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
        self._publisher.publish("press", press)
        result = self._listener.topic("audio")
        assert isinstance(result, AudioMessage)
        pieces = sum(
            isinstance(message, RecordingMessage) and message.level_dbfs is not None
            for _, message in self._listener.received
        )
        return Answer(best(result.scores), (pieces + 1) / 10)


@contextlib.contextmanager
def service(wait_s: float, analyzer: VoiceAnalyzer) -> Iterator[Bench]:
    """A running service that waits so long for the first word."""
    with tempfile.TemporaryDirectory(prefix="ee-bench-") as folder:
        config = msgspec.structs.replace(
            Config(device="bench", bus=BusConfig(directory=folder)),
            audio=AudioConfig(wait_s=wait_s),
        )
        microphone = SceneMicrophone()
        serve = partial(audio.serve, microphone=microphone, analyzer=analyzer)
        with (
            running(hub.run, config),
            listening(config.endpoint("out"), "recording", "audio") as listener,
            running(serve, config),
            publishing(config) as publisher,
        ):
            yield Bench(microphone, listener, publisher)


def lines(voices: voice_data.VoiceSet) -> Iterator[str]:
    """The table, row by row."""
    labels = [voice_data.LABELS[label] for label in voices.labels]
    analyzer = VoiceAnalyzer.from_config(AudioConfig(), 1)

    def right(found: list[str | None]) -> str:
        return f"{np.mean([a == b for a, b in zip(found, labels, strict=True)]):.1%}"

    whole = [analyzer.combine([analyzer.analyze(w) for _, w in windows([clip], 2.0)])
             for clip in voices.clips]  # fmt: skip
    yield f"whole clips: {right([best(result.scores) for result in whole])}"
    found = [best(analyzer.analyze(loudest(clip)).scores) for clip in voices.clips]
    yield f"'loudest': {right(found)}"
    for kind in KINDS:
        scenes = [scene(kind, voices.clips, number) for number in range(len(voices))]
        found = [best(analyzer.analyze(loudest(sound)).scores) for sound in scenes]
        yield f"{kind}: 'loudest' {right(found)}"
        for way, wait_s in WAYS.items():
            with service(wait_s, analyzer) as bench:
                answers = [bench.answer(sound) for sound in scenes]
            seconds = [answer.after_s for answer in answers]
            yield (
                f"  {way}: {right([answer.label for answer in answers])}, "
                f"the answer after {median(seconds):.1f} s, {max(seconds):.1f} at most"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("training/data/ravdess_16k"))
    parser.add_argument("--actors", type=int, nargs="+", default=list(voice_data.TEST_ACTORS))
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"{options.data}: no such data")
    for line in lines(voice_data.load(options.data, options.actors)):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
