"""`emotion-edge summary`: what a session shows, as text and as a plot."""

import time
from argparse import Namespace
from contextlib import closing

from edge.bus.recordings import Session
from edge.commands.export import replaced, span_of
from edge.commands.text import print_line
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.recordings.source import Source
from edge.recordings.summary import Summary, clock
from edge.recordings.table import Table

ENDINGS = (".html", ".png")


def summary(config: Config, options: Namespace) -> int:
    """Returns the exit code. Raises UsageError, RecordingsError, OutputError."""
    check(options)
    with closing(Source(config)) as source:
        session = source.session(options.session)
        table, found = Table(float(int(session.start[1]))), Summary()
        found.take(table.lines(source.chunks(span_of(session))))
    for line in [*head(session, table), "", *found.text()]:
        print_line(line)
    if options.plot is not None:
        from edge.recordings.plot import save

        with replaced(options.plot) as part:
            save(found, title_of(session), part)
    return ExitCode.OK


def check(options: Namespace) -> None:
    """Raises UsageError, ModuleNotFoundError, before anything is read."""
    if options.plot is None:
        return
    if options.plot.suffix not in ENDINGS:
        raise UsageError(f"--plot {options.plot}: write a name that ends in .html or .png")
    if options.plot.suffix == ".png":
        import matplotlib  # noqa: F401
    if options.plot.exists() and not options.force:
        raise UsageError(f"{options.plot} exists; --force replaces it")


def title_of(session: Session) -> str:
    return f"Session {session.id}" + (f": {session.note}" if session.note else "")


def head(session: Session, table: Table) -> list[str]:
    """Whose it is, when, and by what it was made."""
    begin = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(session.start[1]))
    length = clock(abs(session.stop[1] - session.start[1])) if session.stop else "running"
    lines = [title_of(session), f"began        {begin}, {length}"]
    lines += [f"consent      {session.consent or 'nothing was noted'}"]
    made = {(row[4], row[5]) for row in table.stretches.values()}
    lines += [f"device       {device}, emotion-edge {version}" for device, version in sorted(made)]
    return lines
