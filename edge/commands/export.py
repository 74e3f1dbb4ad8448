"""`emotion-edge export`: what was recorded, in the formats of others' programs."""

import contextlib
import io
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TextIO

from edge.bus.recordings import Session, Span
from edge.commands.text import OutputError, print_note, printable, size
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.recordings.formats import WRITERS, Export, bids_sidecar
from edge.recordings.resample import resample
from edge.recordings.source import Source
from edge.recordings.table import Line, Table

BIDS_ENDING = "_events.tsv"
ENDINGS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".tsv": "tsv-bids",
    ".vtt": "webvtt",
}
"""What a file's name tells of its format, where `--format` is not given."""
TERMINAL_SPACE = re.compile(r"(\r?\n|\t)")


def export(config: Config, options: Namespace) -> int:
    """Returns the exit code. Raises UsageError, RecordingsError, OutputError."""
    options.format = options.format or format_of(options.output)
    check(options)
    with closing(Source(config)) as source:
        session, span, zero_s = choose(source, options)
        table = Table(zero_s)
        lines = or_note(table.lines(source.chunks(span)), session)
        if options.rate:
            lines = resample(lines, 1 / options.rate)
        step_s = max(1.0, 1 / options.rate) if options.rate else 1.0
        if options.format == "pyfeat" and options.rate:
            step_s = 1 / options.rate
        made = Export(table, lines, session, step_s, options.sep)
        write(made, options)
    return ExitCode.OK


def format_of(output: Path | None) -> str:
    """Raises UsageError for a file whose name tells none."""
    if output is None:
        return "csv"
    if output.suffix not in ENDINGS:
        raise UsageError(f"{output}: add --format, or end it in one of {' '.join(ENDINGS)}")
    return ENDINGS[output.suffix]


def or_note(lines: Iterable[Line], session: Session | None) -> Iterator[Line]:
    """The lines; where there is none, a person is told so."""
    is_empty = True
    for line in lines:
        is_empty = False
        yield line
    if is_empty:
        print_note(f"nothing was recorded in {f'session {session.id}' if session else 'that time'}")


def check(options: Namespace) -> None:
    """Raises UsageError for what does not go together."""
    if (options.session is None) == (options.since is None and options.until is None):
        raise UsageError("name a session, or --from and --to")
    if options.format == "parquet":
        import pyarrow  # noqa: F401  # before anything is read: it is an extra

        if options.output is None:
            raise UsageError("parquet is no text: write --output FILE.parquet")
    if options.output is not None:
        if options.format == "tsv-bids" and not options.output.name.endswith(BIDS_ENDING):
            raise UsageError(f"BIDS wants a name such as sub-01_task-talk{BIDS_ENDING}")
        for path in (options.output, *sidecars(options)):
            if path.exists() and not options.force:
                raise UsageError(f"{path} exists; --force replaces it")


def sidecars(options: Namespace) -> list[Path]:
    """Files that are written beside the one that is named."""
    return [options.output.with_suffix(".json")] if options.format == "tsv-bids" else []


def choose(source: Source, options: Namespace) -> tuple[Session | None, Span, float | None]:
    """(the session, its span or that of the times, Unix time of onset 0)"""
    if options.session is not None:
        session = source.session(options.session)
        return session, span_of(session), float(int(session.start[1]))
    since = moment(options.since) if options.since else 0.0
    until = moment(options.until) if options.until else 1e12
    if until <= since:
        raise UsageError("--to is not after --from")
    return None, Span(since=since, until=until), None


def span_of(session: Session) -> Span:
    """From the beginning of the second in which it began."""
    start = session.start[0], float(int(session.start[1]))
    return Span(start=start, since=start[1] - 86_400) if session.stop is None else Span(
        start=start, stop=session.stop
    )  # fmt: skip


def moment(text: str) -> float:
    """Unix time of 2026-11-23, or 2026-11-23T10:30, in local time unless it names a zone.

    Raises UsageError.
    """
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text}: no time; write 2026-11-23T10:30") from error


def write(made: Export, options: Namespace) -> None:
    """To stdout, or to a file that is there as a whole or not at all."""
    if options.output is None:
        write_stdout(made, WRITERS[options.format])
        return
    with replaced(options.output) as path:
        if options.format == "parquet":
            from edge.recordings.parquet import write_parquet

            write_parquet(made, path)
        else:
            with path.open("w", encoding="utf-8", newline="") as out:
                WRITERS[options.format](made, out)
    for path in sidecars(options):
        with replaced(path) as part:
            part.write_text(bids_sidecar(made), encoding="utf-8")
    print_note(f"{options.output}: {size(options.output.stat().st_size)}")


def write_stdout(made: Export, writer: Callable[[Export, TextIO], None]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    try:
        writer(made, Terminal() if sys.stdout.isatty() else sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from error


class Terminal(io.StringIO):
    """Standard output where a person looks at it: it acts on nothing that others wrote."""

    def write(self, text: str) -> int:
        parts = TERMINAL_SPACE.split(text)  # every second one is a tab or the end of a line
        parts[::2] = map(printable, parts[::2])
        return sys.stdout.write("".join(parts))


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the name `path` at the end. Raises OutputError."""
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
            part = Path(folder, path.name)  # nobody else can put a link in its place
            yield part
            part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}; nothing is written") from error
