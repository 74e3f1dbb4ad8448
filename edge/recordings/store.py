"""Writing what the recorder keeps: rows wait in memory and go to the day's file together.

What goes wrong with the disk or the file becomes a line in `problems`, never an exception: it is
tried again, and what waits is kept as long as there is room for it.
"""

import contextlib
import errno
import itertools
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.bus.recordings import Position, Session
from edge.policy.seconds import TABLES, Row
from edge.recordings import days
from edge.recordings.days import NewerSchemaError
from edge.recordings.erase import erase
from edge.recordings.reader import Reader

log = logging.getLogger(__name__)

MAX_PENDING = 20_000
"""Rows: half an hour of ten faces; beyond that the oldest are lost."""
FLUSH_PENDING = 5_000
"""With so many they are written before their time."""
MIN_FREE_BYTES = 1024 * 1024
RETRY_S = 4.0
MAGIC = b"SQLite format 3\0"
DISK, FILE, BROKEN, SIZE, NO_FILE = "disk", "file", "broken", "size", "no file"
KEPT = ("stretch", "session")
"""Rows that others need to be understood."""
WIDTH = {"stretch": 7, "session": 7, **{name: 1 + len(TABLES[name]) for name in TABLES}}


class About(NamedTuple):
    """What made the results: kept with every stretch."""

    device: str
    version: str
    models: str


class Store:
    """The folder, open for writing. Whoever makes one holds `locked`."""

    def __init__(self, directory: Path, about: About) -> None:
        """Raises NewerSchemaError where today's file is of a later version."""
        self.directory = directory
        self.problems: dict[str, str] = {}
        self.lost = 0
        """Rows that found no room in memory."""
        self.is_full = False
        """Today alone is as large as all may be."""
        self._about = about
        self._pending: list[Row] = []
        self._pending_s = 0.0
        self._day = ""
        self._connection: sqlite3.Connection | None = None
        self._descriptor = -1
        self._retry_s = 0.0
        self._is_new = False
        self._recover()
        reader = Reader(directory)
        self.stretch = reader.last_stretch()
        self.session = next((s for s in reader.sessions() if s.stop is None), None)

    def _recover(self) -> None:
        """Days that ended with a crash, or that are broken; at the start."""
        self._move(days.impostors_in(self.directory))
        for path in days.days_in(self.directory):
            try:
                if path.with_name(path.name + "-wal").exists():
                    days.seal(path)
                else:
                    with contextlib.closing(days.connect(path, "ro")) as connection:
                        connection.execute(days.READABLE).fetchone()
            except sqlite3.OperationalError:  # read-only, or a disk that is full: later
                continue
            except sqlite3.DatabaseError:
                self._set_aside(path)

    @property
    def is_writing(self) -> bool:
        return self._connection is not None and not self.problems.keys() & {DISK, FILE, SIZE}

    @property
    def path(self) -> Path:
        return self.directory / f"{self._day}.db"

    def begin(self, unix_s: float, monotonic_s: float, why: str) -> None:
        """A new stretch, in the file of its day. Raises NewerSchemaError."""
        day = days.day_of(unix_s)
        if day != self._day:
            if self._day:
                self.flush()
                self._close()
                self.problems.pop(BROKEN, None)
                self.problems.pop(NO_FILE, None)
            self._day = day
        self.stretch += 1
        row = (self.stretch, unix_s, monotonic_s, why, *self._about)
        self._append([Row("stretch", row)])
        if self.session:
            self._append([session_row(self.session)])
        self._is_open()
        self._is_new = False

    def add(self, rows: list[Row]) -> None:
        """Of the stretch that goes on."""
        self._append([Row(table, (self.stretch, *values)) for table, values in rows])

    def _append(self, rows: list[Row]) -> None:
        if not self._pending:
            self._pending_s = time.monotonic()
        self._pending += rows
        if (excess := len(self._pending) - MAX_PENDING) > 0:
            kept = [row for row in self._pending[:excess] if row.table in KEPT]
            self.lost += excess - len(kept)
            self._pending = kept + self._pending[excess:]

    def is_due(self, flush_s: float) -> bool:
        """Whether the oldest row has waited for so long, or there are many."""
        waited_s = time.monotonic() - self._pending_s
        return bool(self._pending) and (
            waited_s >= flush_s or (len(self._pending) >= FLUSH_PENDING and not self.problems)
        )

    def flush(self) -> bool:
        """Have everything on the disk. False where that failed."""
        if not self._pending:
            return True
        if self.is_full or not self._has_room() or not self._is_open():
            return False
        try:
            self._write()
        except sqlite3.OperationalError as error:
            self._fail(str(error))
            return False
        except sqlite3.DatabaseError:
            self._set_aside(self.path)
            return False
        self._pending.clear()
        self.problems.pop(FILE, None)
        return True

    def _write(self) -> None:
        assert self._connection is not None
        by_table: dict[str, list[tuple[object, ...]]] = {}
        for table, values in self._pending:
            by_table.setdefault(table, []).append(values)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for table, rows in by_table.items():
                marks = ",".join("?" * WIDTH[table])
                sql = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"
                self._connection.executemany(sql, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _is_open(self) -> bool:
        """Open the day's file, if it is not; a broken one is set aside."""
        if self._connection is not None:
            return True
        if time.monotonic() < self._retry_s:
            return False
        if not self._move(days.impostors_of(self.path)):
            self._retry_s = time.monotonic() + RETRY_S
            return False
        for _ in range(2):
            try:
                self._connection = days.open_for_writing(self.path)
                self._descriptor = os.open(self.path, os.O_RDONLY)
            except NewerSchemaError:
                raise
            except (sqlite3.OperationalError, OSError) as error:
                self._fail(str(getattr(error, "strerror", "") or error))
            except sqlite3.DatabaseError:
                self._set_aside(self.path)
                continue
            break
        return self._connection is not None

    def _fail(self, why: str) -> None:
        """It is tried again, with the file opened anew."""
        self.problems[FILE] = f"{self.path}: {why}"
        self._retry_s = time.monotonic() + RETRY_S
        self._close(is_whole=False)

    def _move(self, impostors: list[Path]) -> bool:
        """A folder, a link or a pipe where a file belongs: out of the way. False where it stays."""
        try:
            for path in impostors:
                moved = days.set_aside(path)
                self.problems[NO_FILE] = f"{path.name} was no file; it is kept as {moved.name}"
                log.warning("%s", self.problems[NO_FILE])
        except OSError as error:
            self.problems[NO_FILE] = f"{path.name} is no file, and stays there: {error.strerror}"
            return False
        return True

    def _set_aside(self, path: Path) -> None:
        """What was in it may be got back: docs/recorder.md. What waits goes to a new one."""
        self._close(is_whole=False)
        try:
            broken = days.set_aside(path)
        except OSError as error:
            self._fail(str(error.strerror))
            return
        self._is_new = True
        self.problems[BROKEN] = f"{path.name} was broken; it is kept as {broken.name}"
        log.warning("%s", self.problems[BROKEN])

    def check(self) -> str:
        """Look at the disk and the file, once a second.

        Returns why a new stretch has to begin; "" = all goes on.
        """
        has_room = self._has_room()
        if self._connection is None:
            return "file" if self._is_new else ""
        if not self._is_same_file():
            if self._is_same_disk():
                days.remove_log(self.path)  # it belongs to another file
            self._close(is_whole=False)
            self.problems[BROKEN] = f"{self.path.name} was removed or replaced; a new one is begun"
            log.warning("%s", self.problems[BROKEN])
            return "file"
        if has_room and os.pread(self._descriptor, len(MAGIC), 0) != MAGIC:
            self._set_aside(self.path)
        return "file" if self._is_new else ""

    def _is_same_file(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def _is_same_disk(self) -> bool:
        """Or was another one mounted there, whose files belong together?"""
        try:
            return os.fstat(self._descriptor).st_dev == self.directory.stat().st_dev
        except OSError:
            return False

    def _is_read_only(self) -> bool:
        """After an error Linux 6.15 has ext4 read-only without a flag that would tell so.

        The log is tried, not the file: to close that once more would end SQLite's own locks on it.
        """
        if self._connection is None or days.impostors_of(self.path):
            return False
        try:
            os.close(os.open(days.with_log(self.path)[1], os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            return error.errno == errno.EROFS
        return False

    def _has_room(self) -> bool:
        """Learn it from the kernel: a flush that fails would tell it a minute later."""
        try:
            status = os.statvfs(self.directory)
        except OSError as error:
            self.problems[DISK] = f"{self.directory}: {error.strerror}"
            return False
        if status.f_flag & os.ST_RDONLY or self._is_read_only():
            self.problems[DISK] = f"{self.directory}: the disk is read-only"
        elif status.f_bavail * status.f_frsize < MIN_FREE_BYTES:
            self.problems[DISK] = f"{self.directory}: the disk is full"
        else:
            self.problems.pop(DISK, None)
        return DISK not in self.problems

    @property
    def day_end(self) -> int:
        """Unix time of the midnight after which another file begins."""
        return days.day_start(self._day) + days.DAY_S

    def remove_old(self, keep_days: int, max_mb: int, now_s: float) -> None:
        """Retention: by age, and by size with the oldest first. `now_s`: Unix time."""
        before = days.day_of(max(0.0, now_s - (keep_days - 1) * days.DAY_S))
        for day in days.remove_old(self.directory, before, max_mb * 2**20, self._day):
            log.info("deleted %s", day)
        megabytes = days.total_bytes(self.directory) / 2**20
        self.is_full = megabytes > max_mb
        if self.is_full:
            self.problems[SIZE] = (
                f"{megabytes:.0f} MB of today, and recorder.max_mb is {max_mb}: nothing is kept"
            )
        else:
            self.problems.pop(SIZE, None)

    def start_session(self, note: str, consent: str, at: Position) -> Session | None:
        """None where it cannot be written."""
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at[1]))
        taken = {session.id for session in Reader(self.directory).sessions()}
        others = (f"{name}-{number}" for number in itertools.count(2))
        unique = next(one for one in itertools.chain([name], others) if one not in taken)
        session = Session(id=unique, note=note, consent=consent, start=at)
        return self._keep_session(session)

    def stop_session(self, at: Position) -> Session | None:
        """In all files that have it; None where it cannot be written."""
        assert self.session is not None
        return self._keep_session(msgspec.structs.replace(self.session, stop=at))

    def _keep_session(self, session: Session) -> Session | None:
        """At once, with all that waits; None where that fails."""
        row = session_row(session)
        self._append([row])
        if not self.flush():
            self._pending.remove(row)
            return None
        self.session = session if session.stop is None else None
        return session

    def delete_session(self, session: Session) -> str:
        """Leave no byte of it; a new stretch has to begin. Returns why not."""
        if not self.flush():
            return "; ".join(self.problems.values())
        self._close()
        return erase(self.directory, session)

    def _close(self, is_whole: bool = True) -> None:
        """`is_whole`: leave one plain file."""
        if self._connection is None:
            return
        with contextlib.suppress(sqlite3.Error):
            if is_whole:
                self._connection.execute("PRAGMA journal_mode=DELETE")
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._connection = None
        os.close(self._descriptor)

    def close(self) -> None:
        self.flush()
        self._close()


def session_row(session: Session) -> Row:
    stop = session.stop or (None, None)
    return Row("session", (session.id, session.note, session.consent, *session.start, *stop))
