"""The recorder's files: one a day, `2026-11-23.db`, with its schema and its health.

SQLite in WAL mode while it is written to; sealed (one plain file) afterwards. Days are those of
UTC: a file's name means the same wherever it is read.
"""

import calendar
import contextlib
import fcntl
import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from edge.errors import ConfigError
from edge.policy.seconds import TABLES

SCHEMA = 1
"""PRAGMA user_version of the files that this version writes."""
MIGRATIONS: Mapping[int, str] = {}
"""{schema: the SQL that makes the next one of it}"""
DAY_S = 86_400
PAGE_BYTES = 1024
"""A commit writes whole pages: a quarter of SQLite's usual ones writes half as much."""
CHECKPOINT_PAGES = 250
"""After so many the log is copied into the file, and written over."""
BUSY_S = 5.0
"""So long a connection waits for another process."""
DAY = re.compile(r"(\d{4}-\d\d-\d\d)\.db")
ANY_FILE = re.compile(r"(\d{4}-\d\d-\d\d)\.db.*")
"""With -wal, -shm, .broken-TIME and .schema-N."""
TEXT = ("emotion", "trigger", "previous", "service", "state", "detail", "text")
READABLE = "SELECT (SELECT max(id) FROM stretch), (SELECT count(*) FROM session)"
"""Reads all of the tables that every reader needs whole; a damaged one fails here."""
KEYS = {"emotion": "stretch, t", "face": "stretch, t, id"}
"""Of the tables with many rows; the others are in the order of writing."""


_alone: set[Path] = set()
"""Files that this process has for itself (sqlite.org/vfs.html, unix-excl). What such a log has in a
`-shm`, and the kernel would write to the card after every commit, stays in memory. All connections
of a process to a file must agree."""


def create_sql() -> str:
    """All tables of a new file."""
    tables = [
        "CREATE TABLE stretch (id INTEGER PRIMARY KEY, unix_s REAL, monotonic_s REAL, why TEXT, "
        "device TEXT, version TEXT, models TEXT)",
        "CREATE TABLE session (id TEXT PRIMARY KEY, note TEXT, consent TEXT, start_stretch INTEGER,"
        " start_t NUMERIC, stop_stretch INTEGER, stop_t NUMERIC) WITHOUT ROWID",
    ]
    for name, columns in TABLES.items():
        typed = [f'"{column}" {"TEXT" if column in TEXT else "NUMERIC"}' for column in columns]
        key = f", PRIMARY KEY ({KEYS[name]})) WITHOUT ROWID" if name in KEYS else ")"
        tables.append(f"CREATE TABLE {name} (stretch INTEGER, {', '.join(typed)}{key}")
    return ";".join(tables)


class NewerSchemaError(ConfigError):
    """A file of a later version."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the folder, for this user alone, and hold it. Raises ConfigError.

    The lock is the folder's own: it leaves no file, and can be had where nothing can be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"recorder.directory = {directory}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() and os.geteuid() != 0:
            raise ConfigError(
                f"recorder.directory = {directory}: it belongs to another user; set another one"
            )
        if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            with contextlib.suppress(OSError):  # a disk that is read-only
                os.fchmod(descriptor, 0o700)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError(
            f"recorder.directory = {directory}: another recorder writes there; "
            "stop it, or set another one"
        ) from error
    finally:
        os.close(descriptor)


def day_of(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(unix_s))


def days_in(directory: Path) -> list[Path]:
    """The files of all days, the oldest first; none where there is no folder.

    What has a day's name and is no file is left out: a pipe would be waited for.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        named = [path for path in directory.iterdir() if DAY.fullmatch(path.name)]
        return sorted(path for path in named if not impostors_of(path))
    return []


def with_log(path: Path) -> list[Path]:
    """A day's file, and what SQLite keeps beside it."""
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]


def impostors_of(path: Path) -> list[Path]:
    """What is in the place of a day's file, or of SQLite's own beside it, and is no file."""
    found = []
    for one in with_log(path):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(one.lstat().st_mode):
                found.append(one)
    return found


def impostors_in(directory: Path) -> list[Path]:
    """Those of all days."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        named = {path.name[:13] for path in directory.iterdir() if ANY_FILE.fullmatch(path.name)}
        return [one for name in sorted(named) for one in impostors_of(directory / name)]
    return []


def files_of(directory: Path, day: str = "") -> list[Path]:
    """All files, of one day or of all: broken ones, copies and SQLite's own, too; no folders."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        found = [path for path in directory.iterdir() if ANY_FILE.fullmatch(path.name)]
    return sorted(path for path in found if path.name.startswith(day) and not is_folder(path))


def is_folder(path: Path) -> bool:
    """A link to one is none: it can be removed as a file can."""
    return path.is_dir() and not path.is_symlink()


def total_bytes(directory: Path) -> int:
    """What the disk holds of it."""
    total = 0
    for path in files_of(directory):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


def connect(path: Path, mode: Literal["ro", "rw", "rwc"] = "rw") -> sqlite3.Connection:
    """Raises sqlite3.Error."""
    alone = path.absolute() in _alone
    uri = f"{path.absolute().as_uri()}?mode={mode}&vfs={'unix-excl' if alone else 'unix'}"
    connection = sqlite3.connect(
        uri,
        timeout=0.0 if alone else BUSY_S,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA cache_size=-512")
    return connection


def open_for_writing(path: Path, migrations: Mapping[int, str] = MIGRATIONS) -> sqlite3.Connection:
    """A day's file, made or migrated where that is needed, and found to be whole.

    It is for this process alone, unless another one has it open just now. Raises NewerSchemaError,
    and sqlite3.DatabaseError for a broken one.
    """
    _alone.add(path.absolute())
    try:
        return _open_for_writing(path, migrations)
    except sqlite3.OperationalError:
        _alone.discard(path.absolute())
        return _open_for_writing(path, migrations)


def _open_for_writing(path: Path, migrations: Mapping[int, str]) -> sqlite3.Connection:
    with contextlib.ExitStack() as unless_complete:
        connection = unless_complete.enter_context(contextlib.closing(connect(path, "rwc")))
        path.chmod(0o600)
        check_schema(connection, path, migrations)
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("database disk image is malformed")
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # NORMAL loses what is not checkpointed
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        upgrade(connection, path, migrations)
        unless_complete.pop_all()
    return connection


def check_schema(
    connection: sqlite3.Connection, path: Path, migrations: Mapping[int, str] = MIGRATIONS
) -> tuple[int, int]:
    """(the file's version, ours). Raises NewerSchemaError."""
    ours = max(SCHEMA, *(number + 1 for number in migrations), 0)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > ours:
        raise NewerSchemaError(
            f"{path}: schema {version}, this version knows {ours}; "
            "upgrade Emotion Edge, or move the file away"
        )
    return version, ours


def upgrade(
    connection: sqlite3.Connection, path: Path, migrations: Mapping[int, str] = MIGRATIONS
) -> None:
    """Make what an older version wrote today's, and keep a copy."""
    version, target = check_schema(connection, path, migrations)
    if version == target:
        return
    statements = create_sql() if version == 0 else ";".join(
        migrations[number] for number in range(version, target)
    )  # fmt: skip
    if version:
        connection.execute("VACUUM INTO ?", (f"{path}.schema-{version}",))
    connection.executescript(f"BEGIN;{statements};PRAGMA user_version={target};COMMIT")


def seal(path: Path) -> None:
    """One plain file of a day that is over. Raises sqlite3.Error."""
    with contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def set_aside(path: Path) -> Path:
    """Rename what is broken, with SQLite's own beside it; returns its new name."""
    broken = path.with_name(f"{path.name}.broken-{time.strftime('%H%M%S')}")
    for old, new in zip(with_log(path), with_log(broken), strict=True):
        with contextlib.suppress(FileNotFoundError):
            old.rename(new)
    return broken


def remove_log(path: Path) -> None:
    """What SQLite keeps beside a file: it would be taken for the next one's."""
    for one in with_log(path)[1:]:
        if not is_folder(one):
            one.unlink(missing_ok=True)


def remove_old(directory: Path, before: str, max_bytes: int, today: str) -> Iterator[str]:
    """Delete the days before one, and the oldest while all are too much; `today` stays.

    Yields each day as it goes.
    """
    for day in sorted({path.name[:10] for path in files_of(directory)} - {today}):
        if day < before or total_bytes(directory) > max_bytes:
            for path in files_of(directory, day):
                path.unlink(missing_ok=True)
            yield day


def day_start(day: str) -> int:
    """Unix time of its midnight."""
    return calendar.timegm(time.strptime(day, "%Y-%m-%d"))


def sync_folder(directory: Path) -> None:
    """Have what was renamed or removed there on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
