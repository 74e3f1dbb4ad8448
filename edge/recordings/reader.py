"""Reading what was kept: sessions, rows by the minute, the history of the page."""

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge.bus.history import MAX_EVENTS, History, HistoryRequest
from edge.bus.messages import EMOTION_LABELS, NOBODY, UNCERTAIN
from edge.bus.recordings import Answer, Cursor, Position, Rows, Session, Span
from edge.policy.seconds import SCALE, TABLES
from edge.recordings import days

DECIDED = {
    **{label: f"emotion IS '{label}'" for label in (*EMOTION_LABELS, UNCERTAIN)},
    NOBODY: f"emotion IS '{NOBODY}' OR (emotion IS NULL AND faces IS 0)",
}
"""{decision: which seconds have it}. While nobody is there, that is published once a second: some
second has none."""
CHUNK = 180
"""Seconds in an answer."""
BETWEEN = "(stretch, t) >= (?, ?) AND (stretch, t) < (?, ?) AND t >= ? AND t < ?"


class Reader:
    """The files of a folder. Raises sqlite3.Error for what cannot be read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _connections(self, first: str = "") -> Iterator[tuple[str, sqlite3.Connection]]:
        """(day, its file) from a day on; one that is broken is left out."""
        for path in days.days_in(self._directory):
            if path.name[:10] < first:
                continue
            with contextlib.closing(open_to_read(path)) as connection:
                if is_readable(connection):
                    yield path.name[:10], connection

    def last_stretch(self) -> int:
        """The highest number of all files."""
        sql = "SELECT coalesce(max(id), 0) FROM stretch"
        return max((c.execute(sql).fetchone()[0] for _, c in self._connections()), default=0)

    def sessions(self) -> list[Session]:
        """All, the oldest first. One that spans days is in several files."""
        found: dict[str, Session] = {}
        for _, connection in self._connections():
            for row in connection.execute("SELECT * FROM session"):
                session = session_of(row)
                if session.id not in found or found[session.id].stop is None:
                    found[session.id] = session
        return sorted(found.values(), key=lambda session: session.start)

    def chunk(self, span: Span, cursor: Cursor | None) -> Answer:
        """Some minutes' rows of every table, and where the next ones are."""
        first, *position = cursor or (days.day_of(span.since), *span.start)
        start: Position = (int(position[0]), position[1])
        for day, connection in self._connections(first):
            if day > days.day_of(span.until):
                break
            rows, following = read_chunk(connection, span, start)
            if following:
                return Answer(rows=rows, cursor=(day, *following))
            if any(rows.values()):
                return Answer(rows=rows, cursor=(next_day(day), *span.start))
            start = span.start
        return Answer()

    def history(self, request: HistoryRequest) -> Iterator[History | None]:
        """Works a day at a time: None after each, then the answer."""
        build = HistoryBuilder(request)
        last = days.day_of(request.until)
        for day, connection in self._connections(days.day_of(request.since)):
            if day > last:
                break
            build.add(connection)
            yield None
        yield build.history()


def open_to_read(path: Path) -> sqlite3.Connection:
    """As a member of SQLite's club where we may, so that it sees what is in the log."""
    try:
        return days.connect(path)
    except sqlite3.OperationalError:
        return days.connect(path, "ro")


def is_readable(connection: sqlite3.Connection) -> bool:
    """Of this schema, and not broken."""
    try:
        if connection.execute("PRAGMA user_version").fetchone() != (days.SCHEMA,):
            return False
        connection.execute(days.READABLE).fetchone()
        return True
    except sqlite3.DatabaseError:
        return False


def next_day(day: str) -> str:
    return days.day_of(days.day_start(day) + days.DAY_S)


def session_of(row: tuple[Any, ...]) -> Session:
    name, note, consent, start_stretch, start_t, stop_stretch, stop_t = row
    stop = None if stop_t is None else (stop_stretch, stop_t)
    return Session(id=name, note=note, consent=consent, start=(start_stretch, start_t), stop=stop)


def read_chunk(
    connection: sqlite3.Connection, span: Span, start: Position
) -> tuple[Rows, Position | None]:
    """The rows of some seconds from `start` on, and the position of the next second."""
    limits = (*start, *span.stop, span.since, span.until)
    seconds = connection.execute(
        f"SELECT stretch, t FROM emotion WHERE {BETWEEN} ORDER BY stretch, t LIMIT ?",
        (*limits, CHUNK + 1),
    ).fetchall()
    following: Position | None = seconds[CHUNK] if len(seconds) > CHUNK else None
    limits = (*start, *(following or span.stop), span.since, span.until)
    order = {name: "stretch, t" if name in days.KEYS else "rowid" for name in TABLES}
    rows = {
        name: list(
            map(
                list,
                connection.execute(
                    f"SELECT * FROM {name} WHERE {BETWEEN} ORDER BY {order[name]}", limits
                ),
            )
        )
        for name in TABLES
    }
    wanted = sorted({row[0] for table in rows.values() for row in table})
    marks = ",".join("?" * len(wanted))
    found = connection.execute(f"SELECT * FROM stretch WHERE id IN ({marks})", wanted)
    rows["stretch"] = list(map(list, found))
    return rows, following


class HistoryBuilder:
    """Sums of buckets of one length, over the files of several days."""

    def __init__(self, request: HistoryRequest) -> None:
        self._request = request
        self._step_s = max(1.0, (request.until - request.since) / request.points)
        self._count = math.ceil((request.until - request.since) / self._step_s)
        labels = len(EMOTION_LABELS)
        self._sums = [[0.0] * labels for _ in range(self._count)]
        self._scored = [0] * self._count
        self._faces = [0.0] * self._count
        self._framed = [0] * self._count
        self._decided = [[0] * len(DECIDED) for _ in range(self._count)]
        self._history = History()

    def add(self, connection: sqlite3.Connection) -> None:
        """A day's file."""
        between = self._request.since, self._request.until
        sums = ", ".join(
            [f'total("{label}")' for label in EMOTION_LABELS]
            + [f"sum({condition})" for condition in DECIDED.values()]
        )
        found = connection.execute(
            f"SELECT CAST((t - ?) / ? AS INTEGER), count(neutral), total(faces), count(faces), "
            f"{sums} FROM emotion WHERE t >= ? AND t < ? GROUP BY 1",
            (between[0], self._step_s, *between),
        )
        for bucket, scored, faces, framed, *totals in found:
            bucket = min(bucket, self._count - 1)  # the last moment may be rounded up
            self._scored[bucket] += scored
            self._faces[bucket] += faces
            self._framed[bucket] += framed
            scores, seconds = totals[: len(EMOTION_LABELS)], totals[len(EMOTION_LABELS) :]
            self._sums[bucket] = [a + b for a, b in zip(self._sums[bucket], scores, strict=True)]
            before = self._decided[bucket]
            self._decided[bucket] = [a + b for a, b in zip(before, seconds, strict=True)]
        self._add_events(connection, between)

    def _shares(self) -> dict[str, list[float]]:
        """Of the seconds that begin in each bucket; a clock that was set may give more rows."""
        begins = [self._request.since + n * self._step_s for n in range(self._count + 1)]
        seconds = [math.ceil(end) - math.ceil(begin) for begin, end in pairwise(begins)]
        whole = [max(1, n, sum(row)) for n, row in zip(seconds, self._decided, strict=True)]
        return {
            label: [round(row[at] / n, 4) for row, n in zip(self._decided, whole, strict=True)]
            for at, label in enumerate(DECIDED)
            if any(row[at] for row in self._decided)
        }

    def _add_events(self, connection: sqlite3.Connection, between: tuple[float, float]) -> None:
        newest = "WHERE t >= ? AND t < ? ORDER BY rowid DESC LIMIT ?"
        limits = (*between, MAX_EVENTS)
        for events, sql in (
            (self._history.voice, f"SELECT t, emotion, confidence / {SCALE}.0 FROM voice {newest}"),
            (self._history.changes, f"SELECT t, previous, emotion FROM change {newest}"),
            (self._history.marks, f"SELECT t, text FROM mark {newest}"),
        ):
            found = [row for row in connection.execute(sql, limits) if row[1] is not None]
            events[:] = [*events, *reversed(found)][-MAX_EVENTS:]

    def history(self) -> History:
        scored, framed = self._scored, self._framed
        return History(
            t=[round(self._request.since + n * self._step_s, 3) for n in range(self._count)],
            step_s=self._step_s,
            emotion={
                label: [
                    round(self._sums[n][at] / scored[n] / SCALE, 4) if scored[n] else None
                    for n in range(self._count)
                ]
                for at, label in enumerate(EMOTION_LABELS)
            },
            labels=self._shares(),
            faces=[
                round(self._faces[n] / framed[n], 2) if framed[n] else None
                for n in range(self._count)
            ],
            voice=self._history.voice,
            changes=self._history.changes,
            marks=self._history.marks,
        )
