"""`emotion-edge classify`: emotions in images, films and sound files, and in folders of them."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.bus.messages import FaceResult
from edge.commands import csv_table
from edge.commands.annotate import Annotator
from edge.commands.csv_table import CsvOutput, face_rows, result_row
from edge.commands.media import (
    Files,
    FilmResult,
    FrameResult,
    ImageResult,
    Result,
    SoundResult,
    WindowResult,
    find_files,
    printable_name,
    shares,
)
from edge.commands.progress import Progress
from edge.commands.settings import check_used
from edge.commands.text import (
    Format,
    OutputError,
    print_error,
    print_line,
    print_note,
    printable_json,
)
from edge.config import Config
from edge.errors import ExitCode, UserError
from edge.inference.card import ModelError


class Options(NamedTuple):
    paths: Sequence[Path]
    format: Format = "text"
    annotated: Path | None = None
    """A folder for pictures with boxes and labels."""
    config: Path | None = None
    """Where the settings were read."""


def classify(config: Config, options: Options) -> int:
    """Print what is in each file. Returns 0, or 2 where a file could not be used.

    Raises ConfigError, ModelError, UsageError, OutputError.
    """
    check_used("classify", config, options.config)
    annotator = Annotator(options.annotated) if options.annotated is not None else None
    files = Files(config, annotator)
    found = list(find_files(options.paths, options.annotated))
    progress, summary, write = Progress(), Summary(), writer(options.format)
    for number, path in enumerate(found):
        for result in _try_read(files, path):
            progress.clear()
            summary.add(result)
            if isinstance(result, Exception):
                print_error("classify", result)
            else:
                write(result)
            progress.show((number + files.fraction) / len(found), f"{path}")
    progress.clear()
    if summary.is_wanted:
        for line in summary.lines():
            (print_line if options.format == "text" else _print_in_terminal)(line)
    return ExitCode.USAGE if summary.kinds["bad"] else ExitCode.OK


def _try_read(files: Files, path: Path | UserError) -> Iterator[Result | Exception]:
    """What is in a file, and why there is no more. Raises ModelError, OutputError."""
    try:
        if isinstance(path, UserError):
            raise path
        yield from files.read(path)
    except (ModelError, OutputError):
        raise
    except UserError as error:
        yield error
    except Exception as error:  # whatever it is, the other files are read
        yield UserError(f"{printable_name(Path(str(path)))}: {error!r}")


def writer(form: Format) -> Callable[[Result], None]:
    """What prints a result in this form. Writes CSV's header."""
    if form == "json":
        return lambda result: print_line(json_line(result))
    if form == "text":
        return _print_text
    table = CsvOutput(csv_table.CLASSIFY)
    return lambda result: _write_rows(table, result)


def json_line(result: Result) -> str:
    return printable_json(msgspec.json.encode(result).decode())


def _write_rows(table: CsvOutput, result: Result) -> None:
    for row in csv_rows(result):
        table.write_row(row)


def csv_rows(result: Result) -> Iterator[csv_table.Row]:
    """A row a face, one for an image or frame without any; a sound's whole and its windows."""
    row: csv_table.Row = {"file": getattr(result, "file", ""), "kind": _kind(result)}
    if isinstance(result, ImageResult):
        yield from face_rows(row, result.faces)
    elif isinstance(result, FrameResult):
        yield from face_rows({**row, "frame": result.frame, "time_s": result.time_s}, result.faces)
    elif isinstance(result, SoundResult):
        yield result_row(row, result)
        for window in result.windows:
            yield result_row({**row, "kind": "window", "time_s": window.start_s}, window)


def _kind(result: Result) -> str:
    return str(type(result).__struct_config__.tag)


def _print_text(result: Result) -> None:
    for line in format_result(result):
        print_line(line)


def format_result(result: Result) -> list[str]:
    """A line for a file or frame, and one for each face of an image and each window of a sound."""
    if isinstance(result, ImageResult):
        count = len(result.faces)
        summary = f"{count or 'no'} face{'' if count == 1 else 's'}"
        lines = [f"{_face(face)} at {_place(face)}" for face in result.faces]
    elif isinstance(result, FrameResult):
        faces = ", ".join(map(_face, result.faces)) or "no face"
        return [f"{result.file} at {result.time_s:.2f} s: {faces}"]
    elif isinstance(result, FilmResult):
        summary = f"{result.frames} frames, {result.duration_s:.2f} s, faces: {result.faces}"
        lines = [f"{label} {share:.0%}" for label, share in result.emotions.items()]
    else:
        summary = _emotion(result)
        lines = [f"{window.start_s:.1f} s: {_emotion(window)}" for window in result.windows]
    if annotated := getattr(result, "annotated", None):
        lines.append(f"-> {annotated}")
    return [f"{result.file}: {summary}", *(f"  {line}" for line in lines)]


def _face(face: FaceResult) -> str:
    return f"#{face.id} {face.emotion} {face.confidence:.2f}"


def _place(face: FaceResult) -> str:
    x, y, w, h = (round(value) for value in face.box)
    return f"{w}x{h}+{x}+{y}"


def _emotion(part: WindowResult | SoundResult) -> str:
    return f"{part.emotion} {part.confidence:.2f}" if part.speech else "nobody speaks"


class Summary:
    """Counts what was found in all files."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self._faces: Counter[str] = Counter()
        self._voices: Counter[str] = Counter()

    def add(self, result: Result | Exception) -> None:
        """Count one."""
        self.kinds["bad" if isinstance(result, Exception) else _kind(result)] += 1
        if isinstance(result, ImageResult | FrameResult):
            self._faces.update(face.emotion for face in result.faces)
        elif isinstance(result, SoundResult):
            self._voices[result.emotion or "nobody speaks"] += 1

    @property
    def is_wanted(self) -> bool:
        """Of a single file there is nothing to sum up: its own lines have it."""
        return self.kinds.total() - self.kinds["frame"] > 1

    def lines(self) -> Iterator[str]:
        """The files, the faces in all images and frames, the voices."""
        parts = [
            f"{self.kinds[kind]} {what}{'' if self.kinds[kind] == 1 else 's'}"
            for kind, what in (("image", "image"), ("film", "film"), ("sound", "sound"))
            if self.kinds[kind]
        ]
        if self.kinds["frame"]:
            parts.append(f"{self.kinds['frame']} frames")
        if self.kinds["bad"]:
            parts.append(f"{self.kinds['bad']} that could not be used")
        yield f"in all: {', '.join(parts)}"
        for what, counts in (("faces", self._faces), ("voices", self._voices)):
            if counts:
                shown = (f"{label} {share:.0%}" for label, share in shares(counts).items())
                yield f"{what} {counts.total()}: {', '.join(shown)}"


def _print_in_terminal(line: str) -> None:
    """For a person who watches, and not for the program that reads the output."""
    if sys.stderr.isatty():
        print_note(line)
