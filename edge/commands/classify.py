"""`emotion-edge classify`: emotions in files, through the very code that the services run."""

import mimetypes
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.bus.messages import FaceResult, LabelScores
from edge.config import Config
from edge.devices.camera.image_file import read_image
from edge.devices.microphone.sound_file import read_sound, resample
from edge.errors import UserError
from edge.inference.card import ModelError
from edge.inference.face_detection import Detector
from edge.inference.speech_activity import SpeechActivity
from edge.inference.speech_emotion import SpeechEmotion
from edge.paths import is_file, is_folder
from edge.policy.decision import decide, rounded
from edge.services.audio import SPEECH_RATE_HZ
from edge.services.face import FaceAnalyzer, detector_of
from edge.types import Signal

OK, USAGE = 0, 2
SHORTEST_S = 0.5
"""A rest at the end of a sound shorter than this is no window of its own."""
MANY = 10
"""From so many files on, a progress bar."""


class ImageResult(msgspec.Struct, frozen=True, tag="image", tag_field="kind"):
    file: str
    size: tuple[int, int]
    """[w, h] px"""
    faces: list[FaceResult]


class Window(msgspec.Struct, frozen=True):
    start_s: float
    speech: bool
    emotion: str | None = None
    confidence: float | None = None
    scores: LabelScores | None = None


class SoundResult(msgspec.Struct, frozen=True, tag="sound", tag_field="kind"):
    """The emotion of the whole is that of its speech windows' mean scores."""

    file: str
    duration_s: float
    speech: bool
    emotion: str | None
    confidence: float | None
    scores: LabelScores | None
    windows: list[Window]


class Files:
    """Reads files one by one; loads each model when the first file needs it."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def _detector(self) -> Detector:
        return detector_of(self._config.face.detector)

    @cached_property
    def _faces(self) -> FaceAnalyzer:
        return FaceAnalyzer(self._config.face, self._config.threads)

    @cached_property
    def _speech(self) -> SpeechEmotion:
        return SpeechEmotion(Path(self._config.audio.model), self._config.threads)

    @cached_property
    def _activity(self) -> SpeechActivity:
        return SpeechActivity(Path(self._config.audio.activity_model), self._config.threads)

    def read(self, path: Path) -> ImageResult | SoundResult:
        """Raises UserError for a file that is missing, unreadable, or neither of the two."""
        if not is_file(path):
            raise UserError(f"{path}: {'a folder' if is_folder(path) else 'no such file'}")
        kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
        if kind == "image":
            return self._image(path)
        if kind == "audio":
            return self._sound(path)
        raise UserError(f"{path}: neither an image nor a sound file, by its name")

    def _image(self, path: Path) -> ImageResult:
        image = read_image(path)
        self._faces.forget()
        faces = self._faces.read(image, self._detector.detect_all(image), 0.0)
        return ImageResult(_name(path), (image.shape[1], image.shape[0]), faces)

    def _sound(self, path: Path) -> SoundResult:
        signal = resample(*read_sound(path), SPEECH_RATE_HZ)
        spoken: list[NDArray[np.float32]] = []
        windows: list[Window] = []
        for start_s, part in cut(signal, self._config.audio.duration_s):
            speech = self._activity.is_speech(part)
            if speech:
                spoken.append(self._speech.classify(part))
            windows.append(Window(start_s, speech, *self._decide(spoken[-1:] if speech else [])))
        whole = self._decide(spoken)
        duration_s = round(signal.size / SPEECH_RATE_HZ, 3)
        return SoundResult(_name(path), duration_s, bool(spoken), *whole, windows)

    def _decide(
        self, spoken: Sequence[NDArray[np.float32]]
    ) -> tuple[str | None, float | None, LabelScores | None]:
        """Emotion, confidence and scores of the mean; nothing of nothing."""
        if not spoken:
            return None, None, None
        mean = np.mean(spoken, axis=0).tolist()
        scores = rounded(dict(zip(self._speech.labels, mean, strict=True)))
        return *decide(scores, self._config.audio.threshold), scores


def _name(path: Path) -> str:
    """The path as it can be printed: a name need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def cut(signal: Signal, window_s: float) -> Iterator[tuple[float, Signal]]:
    """(start in s, samples) of the windows in a (n,) signal at SPEECH_RATE_HZ, end to end."""
    window = round(window_s * SPEECH_RATE_HZ)
    for start in range(0, signal.size, window):
        part = signal[start : start + window]
        if start == 0 or part.size >= SHORTEST_S * SPEECH_RATE_HZ:
            yield start / SPEECH_RATE_HZ, part


def format_message(result: ImageResult | SoundResult) -> str:
    """One line for the file, and one for each face or window in it."""
    if isinstance(result, ImageResult):
        boxes = [
            f"  #{face.id} {face.emotion} {face.confidence:.2f} at {_place(face)}"
            for face in result.faces
        ]
        return "\n".join([f"{result.file}: {_count(len(result.faces), 'face')}", *boxes])
    lines = [f"  {window.start_s:.1f} s: {_said(window)}" for window in result.windows]
    return "\n".join([f"{result.file}: {_said(result)}", *lines])


def _place(face: FaceResult) -> str:
    x, y, w, h = (round(value) for value in face.box)
    return f"{w}x{h}+{x}+{y}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _said(part: Window | SoundResult) -> str:
    return f"{part.emotion} {part.confidence:.2f}" if part.speech else "nobody speaks"


def classify(config: Config, paths: Sequence[Path], as_json: bool) -> int:
    """Print what is in each file. Returns 0, or 2 where a file could not be used."""
    files = Files(config)
    code = OK
    for path in tqdm(paths, disable=None if len(paths) >= MANY else True, unit="file"):
        try:
            result = files.read(path)
        except ModelError:
            raise
        except Exception as error:  # whatever it is, the files after this one are read
            why = error if isinstance(error, UserError) else f"{path}: {error!r}"
            tqdm.write(f"emotion-edge classify: {why}", file=sys.stderr)
            code = USAGE
        else:
            line = msgspec.json.encode(result).decode() if as_json else format_message(result)
            tqdm.write(line, file=sys.stdout)
    return code
