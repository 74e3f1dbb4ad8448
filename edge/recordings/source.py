"""Where a command reads recordings: from the recorder where it runs, else from the files.

Where it runs it has what is not on the disk yet, and its files belong to its own user. Where it
does not, they are read by whoever may: that user, or root.
"""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from edge.bus import recordings
from edge.bus.recordings import (
    Answer,
    DeleteSession,
    ListSessions,
    ReadRows,
    Request,
    Session,
    Span,
)
from edge.bus.requests import Requester
from edge.bus.sockets import BusError
from edge.config import Config
from edge.errors import UserError
from edge.paths import SYSTEM_DIRECTORY, bus_permission_denied, check_directory
from edge.recordings.days import locked
from edge.recordings.erase import erase
from edge.recordings.reader import Reader


class RecordingsError(UserError):
    """What is asked for is not there, or cannot be done."""


class Source:
    """Sessions and rows, wherever they are."""

    def __init__(self, config: Config) -> None:
        """Raises RecordingsError where this user reaches neither."""
        self._directory = config.recordings_directory
        self._requester: Requester | None = None
        if bus_permission_denied() and not config.bus.directory:
            raise RecordingsError(
                f"permission denied on {SYSTEM_DIRECTORY}; sudo, or sudo usermod -aG "
                "emotion-edge $USER and log in again"
            )
        path = config.directory / recordings.ENDPOINT
        if check_directory(config.directory) and is_listening(path):
            self._requester = Requester(config.endpoint(recordings.ENDPOINT))
            try:
                recordings.ask(self._requester, ListSessions())
            except BusError:
                if is_listening(path):
                    raise
                self.close()  # it has just ended

    def close(self) -> None:
        if self._requester is not None:
            self._requester.close()
            self._requester = None

    def sessions(self) -> list[Session]:
        """All, the oldest first."""
        return self.ask(ListSessions()).sessions

    def session(self, name: str) -> Session:
        """Raises RecordingsError where there is none."""
        for session in self.sessions():
            if session.id == name:
                return session
        raise RecordingsError(f"no session is called {name!r}; see emotion-edge session list")

    def chunks(self, span: Span) -> Iterator[recordings.Rows]:
        """All rows, some minutes at a time."""
        answer = self.ask(ReadRows(span=span))
        while answer.rows:
            yield answer.rows
            if answer.cursor is None:
                return
            answer = self.ask(ReadRows(span=span, cursor=answer.cursor))

    def ask(self, request: Request) -> Answer:
        """Raises RecordingsError, BusError."""
        if self._requester is not None:
            answer = recordings.ask(self._requester, request)
        else:
            answer = self._from_files(request)
        if answer.error:
            raise RecordingsError(answer.error)
        return answer

    def _from_files(self, request: Request) -> Answer:
        try:
            reader = Reader(self._directory)
            if isinstance(request, ListSessions):
                return Answer(sessions=reader.sessions())
            if isinstance(request, ReadRows):
                return reader.chunk(request.span, request.cursor)
            if isinstance(request, DeleteSession):
                return self._delete(self.session(request.id))
        except (sqlite3.Error, OSError) as error:
            why = getattr(error, "strerror", None) or error
            return Answer(error=f"{self._directory}: {why}; sudo may read it")
        return Answer(
            error="the recorder is not running; set recorder.keep_days, and start it with "
            "emotion-edge run, or systemctl enable --now emotion-edge@recorder"
        )

    def _delete(self, session: Session) -> Answer:
        if session.stop is None:
            return Answer(error=f"session {session.id} is running; start the recorder and stop it")
        with locked(self._directory):
            return Answer(error=erase(self._directory, session), sessions=[session])


def is_listening(path: Path) -> bool:
    """Whether a program listens at this local socket."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(str(path)) == 0
