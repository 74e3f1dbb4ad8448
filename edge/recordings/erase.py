"""Erasing a session: its rows go, and every file that held them is written anew.

SQLite leaves deleted rows in its free pages, in its log and in half-filled pages, so what stays is
copied into a new file (VACUUM INTO), and the old one removed.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.bus.recordings import Session
from edge.policy.seconds import TABLES
from edge.recordings import days

SUFFIX = ".rewritten"


def erase(directory: Path, session: Session) -> str:
    """Nobody else may write there. Returns "", or why it is not erased."""
    with _as_owner_of(directory):
        return _erase(directory, session)


@contextlib.contextmanager
def _as_owner_of(directory: Path) -> Iterator[None]:
    """root does no more than the folder's owner might, who can put a link where root writes."""
    if os.geteuid() != 0:
        yield
        return
    owner, group, groups = directory.stat(), os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _erase(directory: Path, session: Session) -> str:
    assert session.stop is not None
    first, last = days.day_of(session.start[1]), days.day_of(session.stop[1])
    try:
        for path in days.files_of(directory):
            is_day = days.DAY.fullmatch(path.name)
            if is_day and _has_any_of(path, session):
                _rewrite(path, session)
            elif not is_day and first <= path.name[:10] <= last and _is_copy(path):
                path.unlink()
        days.sync_folder(directory)
    except (sqlite3.Error, OSError) as error:
        return f"{directory}: {getattr(error, 'strerror', None) or error}"
    return ""


def _is_copy(path: Path) -> bool:
    """A broken file, or one of an older schema: it may hold the session, and cannot be searched."""
    return ".broken-" in path.name or ".schema-" in path.name or SUFFIX in path.name


def _has_any_of(path: Path, session: Session) -> bool:
    with contextlib.closing(days.connect(path)) as connection:
        found = connection.execute(
            "SELECT 1 FROM session WHERE id = ? UNION ALL SELECT 1 FROM emotion "
            "WHERE (stretch, t) >= (?, ?) AND (stretch, t) < (?, ?) LIMIT 1",
            (session.id, *_range(session)),
        )
        return found.fetchone() is not None


def _range(session: Session) -> tuple[int, float, int, float]:
    """From the beginning of the second in which it began."""
    assert session.stop is not None
    return session.start[0], float(int(session.start[1])), *session.stop


def _rewrite(path: Path, session: Session) -> None:
    """Without the rows; the file is removed where none are left."""
    rewritten = path.with_name(path.name + SUFFIX)
    rewritten.unlink(missing_ok=True)
    with contextlib.closing(days.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=MEMORY")  # no copy of what is deleted on the disk
        connection.execute("BEGIN")
        for table in TABLES:
            connection.execute(
                f"DELETE FROM {table} WHERE (stretch, t) >= (?, ?) AND (stretch, t) < (?, ?)",
                _range(session),
            )
        connection.execute("DELETE FROM session WHERE id = ?", (session.id,))
        used = " UNION ".join(f"SELECT stretch FROM {table}" for table in TABLES)
        connection.execute(f"DELETE FROM stretch WHERE id NOT IN ({used})")
        connection.execute("COMMIT")
        is_empty = connection.execute("SELECT count(*) FROM stretch").fetchone() == (0,)
        if not is_empty:
            connection.execute("VACUUM INTO ?", (str(rewritten),))
    if is_empty:
        path.unlink()
    else:
        rewritten.chmod(0o600)
        rewritten.replace(path)
