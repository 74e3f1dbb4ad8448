"""`emotion-edge session`: begin, end, mark, list and erase what the recorder keeps together."""

import time
from argparse import Namespace
from contextlib import closing

from edge.bus.recordings import (
    MAX_MARK,
    MAX_NOTE,
    AddMark,
    DeleteSession,
    Session,
    StartSession,
    StopSession,
)
from edge.commands.text import print_line, print_note
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.policy.seconds import CLOSE_S
from edge.recordings.source import Source


def session(config: Config, options: Namespace) -> int:
    """Do `options.action`. Returns the exit code. Raises UsageError, RecordingsError, BusError."""
    check(options)
    with closing(Source(config)) as source:
        if options.action == "start":
            request = StartSession(note=options.note, consent=options.consent)
            (started,) = source.ask(request).sessions
            print_line(f"session {started.id} began")
        elif options.action == "stop":
            (stopped,) = source.ask(StopSession()).sessions
            time.sleep(CLOSE_S + 1)  # its last second is complete then, and an export has it
            print_line(f"session {stopped.id} ended after {duration(stopped)}")
        elif options.action == "mark":
            source.ask(AddMark(text=options.text))
            print_line("marked")
        elif options.action == "list":
            found = source.sessions()
            for one in found:
                print_line(describe(one))
            if not found:
                print_note("no session yet; emotion-edge session start begins one")
        else:
            (erased,) = source.ask(DeleteSession(id=options.id)).sessions
            print_line(
                f"session {erased.id} is erased: {duration(erased)} from {begin(erased)} on, of "
                "everybody who was there, with note, consent and marks"
            )
    return ExitCode.OK


def check(options: Namespace) -> None:
    """Raises UsageError for text that is too long; before it is sent."""
    limits = {"note": MAX_NOTE, "consent": MAX_NOTE, "text": MAX_MARK}
    for name, limit in limits.items():
        text = getattr(options, name, "")
        if len(text) > limit:
            raise UsageError(f"{name}: {len(text)} characters; there may be {limit}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{name}: not UTF-8") from error
        if name == "text" and options.action == "mark" and not text.strip():
            raise UsageError("a mark needs a text")


def duration(session: Session) -> str:
    """As h:mm:ss; by the clock, so that one that was set back shows."""
    end = time.time() if session.stop is None else session.stop[1]
    seconds = round(abs(end - session.start[1]))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def begin(session: Session) -> str:
    """In local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(session.start[1]))


def describe(session: Session) -> str:
    """One line: id, local time, how long, note, consent."""
    length = duration(session) if session.stop else "running"
    consent = f"  consent: {session.consent}" if session.consent else ""
    return f"{session.id:<18} {begin(session)}  {length:>9}  {session.note}{consent}".rstrip()
