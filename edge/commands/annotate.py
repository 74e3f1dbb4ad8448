"""Pictures and films with the boxes and labels of what was found, in a folder of their own."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import cv2

from edge.bus.messages import FaceResult
from edge.commands.text import OutputError
from edge.errors import UsageError
from edge.language import load_language
from edge.overlay.faces import draw_faces
from edge.overlay.layout import unit_of
from edge.types import Image

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
CODEC = cv2.VideoWriter.fourcc(*"mp4v")


class Annotator:
    """Writes NAME.jpg for an image and NAME.mp4 for a film; NAME-2 and so on where that is taken.

    Nothing is ever overwritten. Raises OutputError where nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises UsageError."""
        try:
            os.fsencode(folder).decode()
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name is not UTF-8"
            raise UsageError(f"--annotated {str(folder)!r}: {reason}; name another") from error
        self.folder = folder

    def write_image(self, source: Path, image: Image, faces: Sequence[FaceResult]) -> str:
        """Draws onto `image` (h, w, 3) uint8 BGR; returns the path of what it wrote."""
        draw(image, faces)
        jpeg = cv2.imencode(".jpg", image, QUALITY)[1].tobytes()
        path = self._new(source, ".jpg")
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            raise _cannot_write(path, error) from error
        return str(path)

    @contextmanager
    def film(self, source: Path, size: tuple[int, int], rate_hz: float) -> Iterator["FilmWriter"]:
        """For the frames of a film of (w, h) px."""
        path = self._new(source, ".mp4")
        film = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, CODEC, rate_hz, size)
        try:
            if not film.isOpened():
                raise OutputError(f"cannot write {path}: no encoder for MPEG-4 of this size")
            yield FilmWriter(film, path)
        finally:
            film.release()
        if not cv2.VideoCapture(str(path), cv2.CAP_FFMPEG).isOpened():  # it reports no errors
            raise OutputError(f"cannot write {path}: it is incomplete; is the disk full?")

    def _new(self, source: Path, suffix: str) -> Path:
        """An empty file that was not there."""
        for number in count(1):
            name = source.stem if number == 1 else f"{source.stem}-{number}"
            path = self.folder / f"{name}{suffix}"
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            except OSError as error:
                raise _cannot_write(path, error) from error
            return path
        raise AssertionError


class FilmWriter:
    """A film that is being written."""

    def __init__(self, film: cv2.VideoWriter, path: Path) -> None:
        self._film = film
        self.path = str(path)

    def write(self, image: Image, faces: Sequence[FaceResult]) -> None:
        """The next frame, (h, w, 3) uint8 BGR; draws onto it."""
        draw(image, faces)
        self._film.write(image)


def draw(image: Image, faces: Sequence[FaceResult]) -> None:
    """What the display draws on the faces."""
    size = image.shape[1], image.shape[0]
    draw_faces(image, unit_of(size), faces, size, None, load_language())


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror}")
