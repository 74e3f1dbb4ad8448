"""`emotion-edge export`: what was recorded, in the formats of others' programs."""

import contextlib
import io
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TextIO

from edge.bus.recordings import Session, Span
from edge.commands.text import OutputError, print_note, size
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.recordings.formats import WRITERS, Export, bids_sidecar
from edge.recordings.resample import resample
from edge.recordings.source import Source
from edge.recordings.table import Table

BIDS_ENDING = "_events.tsv"


def export(config: Config, options: Namespace) -> int:
    """Returns the exit code. Raises UsageError, RecordingsError, OutputError."""
    check(options)
    with closing(Source(config)) as source:
        session, span, zero_s = choose(source, options)
        table = Table(zero_s)
        lines = table.lines(source.chunks(span))
        if options.rate:
            lines = resample(lines, 1 / options.rate)
        step_s = max(1.0, 1 / options.rate) if options.rate else 1.0
        if options.format == "pyfeat" and options.rate:
            step_s = 1 / options.rate
        made = Export(table, lines, session, step_s, options.sep)
        write(made, options)
    return ExitCode.OK


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
        writer(made, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from error


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
