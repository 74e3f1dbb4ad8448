"""What is in image, film and sound files, through the code that the services run."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import cached_property
from pathlib import Path

import msgspec

from edge.bus.messages import FaceResult, LabelScores
from edge.commands.annotate import Annotator, FilmWriter
from edge.config import Config
from edge.devices.camera.image_file import read_image
from edge.devices.camera.opencv import Film
from edge.devices.microphone.sound_file import SoundFile
from edge.errors import UserError
from edge.paths import is_file, is_folder
from edge.pipeline.face import FaceAnalyzer
from edge.pipeline.voice import RATE_HZ, VoiceAnalyzer, windows

SUFFIXES = {
    "image": "bmp gif j2k jfif jp2 jpe jpeg jpg pbm pgm png pnm ppm tif tiff webp",
    "film": "3gp avi flv m4v mkv mov mp4 mpeg mpg mts ogv webm wmv",
    "sound": "aif aiff au flac mp3 oga ogg opus wav",
}
KINDS = {f".{suffix}": kind for kind, names in SUFFIXES.items() for suffix in names.split()}


class ImageResult(msgspec.Struct, frozen=True, tag="image", tag_field="kind"):
    file: str
    size: tuple[int, int]
    """[w, h] px"""
    faces: list[FaceResult]
    annotated: str | None = None
    """The picture that was written."""


class FrameResult(msgspec.Struct, frozen=True, tag="frame", tag_field="kind"):
    file: str
    frame: int
    """Counts up from 0."""
    time_s: float
    faces: list[FaceResult]


class FilmResult(msgspec.Struct, frozen=True, tag="film", tag_field="kind"):
    """After the frames of a film."""

    file: str
    size: tuple[int, int]
    """[w, h] px"""
    frames: int
    duration_s: float
    """To its last frame."""
    faces: int
    """How many different ones, as far as they could be followed."""
    emotions: dict[str, float]
    """{label: its share of all faces in all frames}"""
    annotated: str | None = None


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


Result = ImageResult | FrameResult | FilmResult | SoundResult


class Files:
    """Reads files one by one; loads each model when the first file needs it."""

    def __init__(self, config: Config, annotator: Annotator | None = None) -> None:
        self._config = config
        self._annotator = annotator
        self.fraction = 0.0
        """How much of the film that is being read is done, 0 to 1."""

    @cached_property
    def _faces(self) -> FaceAnalyzer:
        return FaceAnalyzer.from_config(self._config.face, self._config.threads)

    @cached_property
    def _voice(self) -> VoiceAnalyzer:
        return VoiceAnalyzer.from_config(self._config.audio, self._config.threads)

    def read(self, path: Path) -> Iterator[Result]:
        """Raises UserError for a file that is missing, unreadable, or none of the three."""
        self.fraction = 0.0
        if not is_file(path):
            raise UserError(f"{path}: no such file")
        kind = KINDS.get(path.suffix.lower())
        if kind == "image":
            yield self._image(path)
        elif kind == "film":
            yield from self._film(path)
        elif kind == "sound":
            yield self._sound(path)
        else:
            raise UserError(f"{path}: neither an image nor a film nor a sound file, by its name")

    def _image(self, path: Path) -> ImageResult:
        image = read_image(path)
        size = (image.shape[1], image.shape[0])
        faces = self._faces.analyze_image(image)
        written = self._annotator.write_image(path, image, faces) if self._annotator else None
        return ImageResult(printable_name(path), size, faces, written)

    def _film(self, path: Path) -> Iterator[FrameResult | FilmResult]:
        """Each frame, and the film."""
        time_s, number = 0.0, -1
        # In the film's own time: nothing depends on how fast this machine is.
        analyzer = FaceAnalyzer.from_config(
            self._config.face, self._config.threads, clock=lambda: time_s
        )
        ids, labels, name = set[int](), Counter[str](), printable_name(path)
        with closing(Film(path)) as film, self._film_writer(path, film) as writer:
            for number, (time_s, image) in enumerate(film.frames()):
                self.fraction = min(1.0, number / max(film.length, number + 1))
                faces = analyzer.analyze(image, time_s)
                ids.update(face.id for face in faces)
                labels.update(face.emotion for face in faces)
                if writer is not None:
                    writer.write(image, faces)
                yield FrameResult(name, number, round(time_s, 3), faces)
            written = writer.path if writer is not None else None
        yield FilmResult(
            name, film.size, number + 1, round(time_s, 3), len(ids), shares(labels), written
        )

    def _film_writer(
        self, path: Path, film: Film
    ) -> AbstractContextManager[FilmWriter] | AbstractContextManager[None]:
        if self._annotator is None:
            return nullcontext()
        return self._annotator.film(path, film.size, film.rate_hz)

    def _sound(self, path: Path) -> SoundResult:
        with closing(SoundFile(path)) as file:
            results = [
                (start_s, self._voice.analyze(part))
                for start_s, part in windows(file.resampled(RATE_HZ), self._config.audio.duration_s)
            ]
        whole = self._voice.combine([result for _, result in results])
        return SoundResult(
            printable_name(path),
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


def printable_name(path: Path) -> str:
    """The path as it can be encoded: a name need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def shares(counts: Counter[str]) -> dict[str, float]:
    """{label: its share}, the most frequent first."""
    return {label: round(n / counts.total(), 4) for label, n in counts.most_common()}


def find_files(paths: Sequence[Path], skip: Path | None) -> Iterator[Path | UserError]:
    """The files, and those in the folders and theirs, by name, that can be classified.

    Hidden ones are left out, and the folder `skip`.
    """
    for path in paths:
        if is_folder(path):
            yield from _in_folder(path, skip)
        else:
            yield path


def _in_folder(folder: Path, skip: Path | None) -> Iterator[Path | UserError]:
    errors: list[OSError] = []
    found = False
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        inside = (f for f in sorted(folders) if f[0] != "." and not _is_same(Path(parent, f), skip))
        folders[:] = inside
        for name in sorted(names):
            path = Path(parent, name)
            if name[0] != "." and path.suffix.lower() in KINDS:
                found = True
                yield path
    yield from (UserError(f"{error.filename}: {error.strerror}") for error in errors)
    if not found and not errors:
        yield UserError(f"{folder}: no image, film or sound file in it")


def _is_same(folder: Path, other: Path | None) -> bool:
    return other is not None and folder.resolve() == other.resolve()
