"""`emotion-edge classify`: emotions in files, through the code that the services run."""

import mimetypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import msgspec

from edge.bus.messages import FaceResult, LabelScores
from edge.commands.text import print_error, print_line, printable_json
from edge.config import Config
from edge.devices.camera.image_file import read_image
from edge.devices.microphone.sound_file import SoundFile
from edge.errors import ExitCode, UserError
from edge.inference.card import ModelError
from edge.paths import is_file, is_folder
from edge.pipeline.face import FaceAnalyzer
from edge.pipeline.voice import RATE_HZ, VoiceAnalyzer, windows

MIN_PROGRESS_FILES = 10
CLEAR_LINE = "\r\x1b[K"


class ImageResult(msgspec.Struct, frozen=True, tag="image", tag_field="kind"):
    file: str
    size: tuple[int, int]
    """[w, h] px"""
    faces: list[FaceResult]


class WindowResult(msgspec.Struct, frozen=True):
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
    windows: list[WindowResult]


class Files:
    """Reads files one by one; loads each model when the first file needs it."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def _faces(self) -> FaceAnalyzer:
        return FaceAnalyzer.from_config(self._config.face, self._config.threads)

    @cached_property
    def _voice(self) -> VoiceAnalyzer:
        return VoiceAnalyzer.from_config(self._config.audio, self._config.threads)

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
        size = (image.shape[1], image.shape[0])
        return ImageResult(_name(path), size, self._faces.analyze_image(image))

    def _sound(self, path: Path) -> SoundResult:
        with closing(SoundFile(path)) as file:
            results = [
                (start_s, self._voice.analyze(part))
                for start_s, part in windows(file.resampled(RATE_HZ), self._config.audio.duration_s)
            ]
        whole = self._voice.combine([result for _, result in results])
        return SoundResult(
            _name(path),
            round(file.samples_read / file.rate_hz, 3),
            whole.speech,
            whole.emotion,
            whole.confidence,
            whole.scores,
            [
                WindowResult(at_s, r.speech, r.emotion, r.confidence, r.scores)
                for at_s, r in results
            ],
        )


def _name(path: Path) -> str:
    """The path as it can be printed: a name need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def format_result(result: ImageResult | SoundResult) -> list[str]:
    """One line for the file, and one for each face or window in it."""
    if isinstance(result, ImageResult):
        count = len(result.faces)
        summary = f"{count or 'no'} face{'' if count == 1 else 's'}"
        lines = [f"#{f.id} {f.emotion} {f.confidence:.2f} at {_place(f)}" for f in result.faces]
    else:
        summary = _emotion(result)
        lines = [f"{window.start_s:.1f} s: {_emotion(window)}" for window in result.windows]
    return [f"{result.file}: {summary}", *(f"  {line}" for line in lines)]


def json_line(result: ImageResult | SoundResult) -> str:
    return printable_json(msgspec.json.encode(result).decode())


def _place(face: FaceResult) -> str:
    x, y, w, h = (round(value) for value in face.box)
    return f"{w}x{h}+{x}+{y}"


def _emotion(part: WindowResult | SoundResult) -> str:
    return f"{part.emotion} {part.confidence:.2f}" if part.speech else "nobody speaks"


def classify(config: Config, paths: Sequence[Path], as_json: bool) -> int:
    """Print what is in each file. Returns 0, or 2 where a file could not be used."""
    code = ExitCode.OK
    for result in read_all(Files(config), paths):
        if isinstance(result, Exception):
            print_error("classify", result)
            code = ExitCode.USAGE
        else:
            for line in [json_line(result)] if as_json else format_result(result):
                print_line(line)
    return code


def read_all(
    files: Files, paths: Sequence[Path]
) -> Iterator[ImageResult | SoundResult | Exception]:
    """The result of each file, or why there is none. Raises ModelError.

    Of many files a terminal shows which one is being read.
    """
    progress = len(paths) >= MIN_PROGRESS_FILES and sys.stderr.isatty()
    for number, path in enumerate(paths, 1):
        if progress:
            print(end=f"{number} of {len(paths)}", file=sys.stderr, flush=True)
        result = _try_read(files, path)
        if progress:
            print(end=CLEAR_LINE, file=sys.stderr, flush=True)
        yield result


def _try_read(files: Files, path: Path) -> ImageResult | SoundResult | Exception:
    try:
        return files.read(path)
    except ModelError:
        raise
    except UserError as error:
        return error
    except Exception as error:  # whatever it is, the other files are read
        return UserError(f"{_name(path)}: {error!r}")
