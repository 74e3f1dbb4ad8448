"""The files that the recorder writes: whole, private, and back by themselves after any trouble."""

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.bus.recordings import Span
from edge.errors import ConfigError
from edge.policy.seconds import Row
from edge.recordings import days
from edge.recordings.days import NewerSchemaError, locked
from edge.recordings.erase import erase
from edge.recordings.reader import Reader
from edge.recordings.store import Store
from tests.support.harness import ROOT
from tests.support.recordings import ABOUT, NOON, record, record_session, rows_of

DAY = "2026-11-23.db"


def seconds_in(path: Path) -> list[int]:
    with closing(days.connect(path)) as connection:
        return [t for (t,) in connection.execute("SELECT t FROM emotion ORDER BY stretch, t")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, ABOUT)
    store.begin(NOON, 100.0, "start")
    yield store
    store.close()


def add(store: Store, t: int, count: int = 1) -> None:
    for second in range(t, t + count):
        store.add([*rows_of(second)])


def test_nothing_is_written_before_it_is_flushed_and_everything_after(store: Store) -> None:
    add(store, NOON, 5)
    assert seconds_in(store.path) == []
    assert store.flush()
    assert seconds_in(store.path) == [NOON + n for n in range(5)]


OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
try:
    print(connection.execute("SELECT count(*) FROM emotion").fetchone()[0], flush=True)
except sqlite3.OperationalError as error:
    print(error, flush=True)
sys.stdin.read()
"""
CRASH = """
import os, sys
from pathlib import Path
from edge.recordings.store import Store
from tests.support.recordings import ABOUT, NOON, rows_of
store = Store(Path(sys.argv[1]), ABOUT)
store.begin(NOON, 100.0, "start")
store.add([*rows_of(NOON)])
assert store.flush()
os._exit(0)
"""


@contextlib.contextmanager
def other_process(path: Path) -> Iterator[str]:
    """Another one has the file open; what it read."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        yield other.stdout.readline().strip()
        other.communicate()


def test_todays_file_is_the_recorders_alone_and_its_index_not_on_the_disk(store: Store) -> None:
    add(store, NOON, 2)
    assert store.flush()
    with other_process(store.path) as read:
        assert read == "database is locked"
        assert seconds_in(store.path) == [NOON, NOON + 1]
        add(store, NOON + 2, 1)
        assert store.flush()
    assert not store.path.with_name(f"{store.path.name}-shm").exists()
    assert not store.problems


def test_a_file_that_another_process_has_open_is_shared_with_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASH, tmp_path], cwd=ROOT, check=True)
    with other_process(tmp_path / DAY) as read:
        assert read == "1"
        store = Store(tmp_path, ABOUT)
        store.begin(NOON + 10, 110.0, "start")
        add(store, NOON + 10, 1)
        assert store.flush() and not store.problems
        assert seconds_in(store.path) == [NOON, NOON + 10]
    store.close()
    assert seconds_in(store.path) == [NOON, NOON + 10]


def test_files_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    record(folder, NOON, 3)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with locked(tmp_path):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    wanted = pytest.raises(ConfigError, match="another recorder writes there")
    with locked(tmp_path), wanted, locked(tmp_path):
        pass


@pytest.mark.root
def test_a_folder_of_another_user_is_refused(directory: Path) -> None:
    directory.chmod(0o755)
    code = f"""
import os
from contextlib import closing
from pathlib import Path
from edge.recordings.days import locked
os.setuid(65534)
with locked(Path({str(directory)!r})):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "it belongs to another user; set another one" in done.stderr


@pytest.mark.root
def test_what_root_erases_stays_the_services(directory: Path) -> None:
    record(directory, NOON - 100, 50)
    session = record_session(directory, NOON, 5)
    for path in (directory, directory / DAY):
        os.chown(path, 12345, 12345)
    assert erase(directory, session) == ""
    status = (directory / DAY).stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (12345, 0o600)
    assert os.geteuid() == 0


@pytest.mark.root
def test_root_erases_nothing_that_the_folders_owner_may_not(directory: Path) -> None:
    """So a link that the owner puts there at the right moment leads nowhere."""
    record(directory, NOON - 100, 50)
    session = record_session(directory, NOON, 5)
    os.chown(directory, 12345, 12345)  # the file stays root's
    assert "readonly" in erase(directory, session) or "unable to open" in erase(directory, session)


def test_after_midnight_another_file_begins_and_the_old_one_is_one_plain_file(
    tmp_path: Path,
) -> None:
    midnight = days.day_start("2026-11-24")
    record(tmp_path, midnight - 3, 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DAY, "2026-11-24.db"]
    assert seconds_in(tmp_path / DAY) == [midnight - 3, midnight - 2, midnight - 1]
    assert seconds_in(tmp_path / "2026-11-24.db") == [midnight, midnight + 1, midnight + 2]


def test_stretches_count_on_after_a_restart_so_that_faces_are_not_mixed_up(tmp_path: Path) -> None:
    record(tmp_path, NOON + 60, 3)
    record(tmp_path, NOON + 70, 3)
    with sqlite3.connect(tmp_path / DAY) as connection:
        found = connection.execute("SELECT DISTINCT stretch, id FROM face").fetchall()
    assert found == [(1, 1), (2, 1)]


@pytest.mark.parametrize("garbage", [b"", b"garbage" * 1000, b"SQLite format 3\0" + bytes(9000)])
def test_a_broken_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / DAY).write_bytes(garbage)
    store = Store(tmp_path, ABOUT)
    store.begin(NOON, 100.0, "start")
    add(store, NOON, 2)
    assert store.flush()
    assert seconds_in(tmp_path / DAY) == [NOON, NOON + 1]
    broken = [path for path in tmp_path.iterdir() if ".broken-" in path.name]
    if garbage:
        assert broken[0].read_bytes() == garbage and broken[0].name in str(store.problems)
    store.close()


def test_a_broken_page_in_the_middle_is_found_at_the_start(tmp_path: Path) -> None:
    record(tmp_path, NOON, 600)
    data = bytearray((tmp_path / DAY).read_bytes())
    middle = len(data) // 2 // 1024 * 1024
    data[middle : middle + 8192] = os.urandom(8192)
    (tmp_path / DAY).write_bytes(data)
    store = Store(tmp_path, ABOUT)
    store.begin(NOON + 700, 100.0, "start")
    assert "was broken" in store.problems["broken"]
    store.close()


def test_a_file_that_is_removed_is_begun_anew_within_a_second(store: Store) -> None:
    add(store, NOON, 2)
    store.flush()
    store.path.unlink()
    assert store.check() == "file"
    store.begin(NOON + 5, 105.0, "file")
    add(store, NOON + 5, 2)
    assert store.flush() and seconds_in(store.path) == [NOON + 5, NOON + 6]


def test_a_file_that_is_overwritten_with_garbage_is_set_aside(store: Store) -> None:
    add(store, NOON, 2)
    store.flush()
    with store.path.open("r+b") as file:
        file.write(b"\xa5" * 4096)
    assert store.check() == "file"
    assert "was broken" in store.problems["broken"]
    store.begin(NOON + 5, 105.0, "file")
    add(store, NOON + 5, 2)
    assert store.flush() and seconds_in(store.path) == [NOON + 5, NOON + 6]


def test_a_file_that_is_replaced_by_another_is_left_alone(store: Store, tmp_path: Path) -> None:
    add(store, NOON, 2)
    store.flush()
    other = tmp_path / "other"
    other.write_bytes(b"nonsense" * 600)
    other.replace(store.path)
    assert store.check() == "file"
    store.begin(NOON + 5, 105.0, "file")
    add(store, NOON + 5, 1)
    assert store.flush() and seconds_in(store.path) == [NOON + 5]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """5 MB of memory as a disk."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "none", tmp_path])
    if mounted.returncode:
        pytest.skip("no right to mount")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.root
def test_on_a_full_disk_rows_wait_and_are_written_once_there_is_room(small_disk: Path) -> None:
    store = Store(small_disk, ABOUT)
    store.begin(NOON, 100.0, "start")
    (small_disk / "ballast").write_bytes(bytes(4_500_000))
    add(store, NOON, 5)
    store.check()
    assert store.problems["disk"].endswith("the disk is full") and not store.is_writing
    assert not store.flush()
    (small_disk / "ballast").unlink()
    store.check()
    assert not store.problems and store.is_writing
    assert store.flush() and len(seconds_in(store.path)) == 5
    store.close()


@pytest.mark.root
def test_a_disk_that_becomes_read_only_is_reported_and_used_again_later(small_disk: Path) -> None:
    store = Store(small_disk, ABOUT)
    store.begin(NOON, 100.0, "start")
    add(store, NOON, 2)
    store.flush()
    store._close()  # a disk with files open for writing cannot be made read-only
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    add(store, NOON + 2, 2)
    store.check()
    assert store.problems["disk"].endswith("the disk is read-only") and not store.flush()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert store.flush() and len(seconds_in(store.path)) == 4
    store.close()


@pytest.mark.root
def test_a_recorder_that_starts_on_a_read_only_disk_works_later(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with locked(small_disk):
        store = Store(small_disk, ABOUT)
        store.begin(NOON, 100.0, "start")
        add(store, NOON, 2)
        assert not store.flush() and not store.is_writing
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        store._retry_s = 0.0
        assert store.flush() and len(seconds_in(store.path)) == 2
        store.close()


def test_what_waits_for_a_disk_has_a_limit_and_the_loss_is_counted(store: Store) -> None:
    store.is_full = True
    for n in range(25):
        store.add([Row("mark", (NOON + n, "x"))] * 1000)
    assert store.lost == 5_000
    store.is_full = False
    assert store.flush()


def test_a_file_of_a_newer_version_is_refused_with_both_versions_named(tmp_path: Path) -> None:
    record(tmp_path, NOON, 2)
    with sqlite3.connect(tmp_path / DAY) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = (tmp_path / DAY).read_bytes()
    with pytest.raises(NewerSchemaError, match=r"schema 7, this version knows 1; upgrade"):
        Store(tmp_path, ABOUT).begin(NOON + 9, 1.0, "start")
    assert (tmp_path / DAY).read_bytes() == before


def test_a_file_of_an_older_version_is_migrated_and_a_copy_kept(tmp_path: Path) -> None:
    record(tmp_path, NOON, 2)
    path = tmp_path / DAY
    migrations = {days.SCHEMA: "ALTER TABLE mark ADD COLUMN colour TEXT"}
    with sqlite3.connect(path) as old:
        columns = len(old.execute("PRAGMA table_info(mark)").fetchall())
    connection = days.open_for_writing(path, migrations)
    assert connection.execute("PRAGMA user_version").fetchone() == (days.SCHEMA + 1,)
    assert len(connection.execute("PRAGMA table_info(mark)").fetchall()) == columns + 1
    connection.close()
    copy = tmp_path / f"{DAY}.schema-{days.SCHEMA}"
    assert seconds_in(copy) == seconds_in(path) == [NOON, NOON + 1]


def test_old_days_go_and_with_them_broken_files_and_copies(tmp_path: Path) -> None:
    for name in ("2026-11-20.db", "2026-11-20.db.broken-101112", "2026-11-21.db-wal"):
        (tmp_path / name).write_bytes(b"x")
    record(tmp_path, NOON, 2)
    store = Store(tmp_path, ABOUT)
    store.begin(NOON + 5, 1.0, "start")
    store.remove_old(2, 500, NOON)
    assert {path.name[:13] for path in tmp_path.iterdir()} == {DAY}  # and its log
    store.close()


def test_the_oldest_day_goes_first_when_there_is_too_much(tmp_path: Path) -> None:
    for day in (3, 2, 1):
        record(tmp_path, NOON - day * days.DAY_S, 10_000)
    store = Store(tmp_path, ABOUT)
    store.begin(NOON, 1.0, "start")
    megabytes = days.total_bytes(tmp_path) // 2**20
    store.remove_old(90, megabytes, NOON)
    assert [path.name for path in days.days_in(tmp_path)] == ["2026-11-21.db", "2026-11-22.db", DAY]
    store.close()


def test_when_today_alone_is_too_much_nothing_more_is_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / f"{DAY}.broken-000000").write_bytes(bytes(3_000_000))
    store.remove_old(9, 1, NOON)
    assert store.is_full and "recorder.max_mb is 1" in store.problems["size"]
    add(store, NOON)
    assert not store.flush() and not store.is_writing


def test_a_session_goes_on_after_a_restart_and_over_midnight(tmp_path: Path) -> None:
    midnight = days.day_start("2026-11-24")
    store = Store(tmp_path, ABOUT)
    store.begin(midnight - 5, 1.0, "start")
    started = store.start_session("long", "", (store.stretch, midnight - 5.0))
    store.begin(midnight, 6.0, "midnight")
    store.close()
    again = Store(tmp_path, ABOUT)
    assert again.session == started
    again.begin(midnight + 9, 1.0, "start")
    stopped = again.stop_session((again.stretch, midnight + 10.0))
    again.close()
    assert Reader(tmp_path).sessions() == [stopped]
    (tmp_path / DAY).unlink()  # as retention does
    assert Reader(tmp_path).sessions() == [stopped]


@pytest.mark.parametrize("spans_midnight", [False, True])
def test_of_an_erased_session_no_byte_is_left(tmp_path: Path, spans_midnight: bool) -> None:
    start = days.day_start("2026-11-24") - 300 if spans_midnight else NOON
    record(tmp_path, start - 1000, 900)
    session = record_session(tmp_path, start, 600, note="Mrs Unmistakable")
    record(tmp_path, start + 900, 100)
    copy = tmp_path / f"{days.day_of(start)}.db.broken-101010"
    shutil.copy(tmp_path / f"{days.day_of(start)}.db", copy)
    store = Store(tmp_path, ABOUT)
    store.begin(start + 2000, 1.0, "start")
    assert store.delete_session(session) == ""
    store.begin(start + 2001, 2.0, "erased")
    store.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Unmistakable" not in raw and b"form 12" not in raw and b"=cmd()" not in raw
    kept = [t for path in days.days_in(tmp_path) for t in seconds_in(path)]
    assert kept == [*range(start - 1000, start - 100), *range(start + 900, start + 1000)]
    # The keys of the rows: a second's Unix time, as SQLite stores it, in four bytes.
    gone = [t.to_bytes(4, "big") for t in range(start, start + 600)]
    assert not any(key in raw for key in gone)


def test_a_page_that_breaks_while_it_is_written_to_begins_a_file_with_a_stretch_of_its_own(
    store: Store,
) -> None:
    add(store, NOON, 900)
    store.flush()
    store._close()
    data = bytearray(store.path.read_bytes())
    data[1024:] = os.urandom(len(data) - 1024)
    store.path.write_bytes(data)
    add(store, NOON + 900, 5)
    assert not store.flush() or store.check() == "file"
    store.check()
    assert "was broken" in store.problems["broken"]
    store.begin(NOON + 906, 1006.0, "file")
    add(store, NOON + 906, 2)
    assert store.flush() and seconds_in(store.path)[-2:] == [NOON + 906, NOON + 907]
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT max(id) FROM stretch").fetchone() == (store.stretch,)


def test_what_follows_the_deadline_is_due(store: Store) -> None:
    store.flush()
    assert not store.is_due(0.0)
    add(store, NOON)
    assert not store.is_due(60.0)
    time.sleep(0.02)
    assert store.is_due(0.01)


def test_an_old_day_that_is_damaged_or_empty_ends_nothing(directory: Path) -> None:
    record(directory, NOON - 3 * days.DAY_S, 50)
    old = directory / f"{days.day_of(NOON - 3 * days.DAY_S)}.db"
    with closing(days.connect(old)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'stretch'"
        ).fetchone()
    with old.open("r+b") as file:
        file.seek((page - 1) * days.PAGE_BYTES)
        file.write(b"\xff" * days.PAGE_BYTES)
    with closing(sqlite3.connect(directory / "2026-01-03.db")) as connection:
        connection.execute(f"PRAGMA user_version = {days.SCHEMA}")
    with locked(directory):
        store = Store(directory, ABOUT)
        store.close()
    assert [path.name for path in directory.glob("*.broken-*")] != []


def put_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("a person's")


def put_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def put_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("another program's")
    path.symlink_to(other)


IMPOSTORS = pytest.mark.parametrize("put", [put_folder, put_dangling_link, put_link, os.mkfifo])


@IMPOSTORS
@pytest.mark.parametrize("name", [DAY, f"{DAY}-wal", "2026-11-20.db", "2026-11-20.db-shm"])
def test_what_is_no_file_and_has_its_name_is_put_aside_and_named(
    tmp_path: Path, put: Callable[[Path], None], name: str
) -> None:
    record(tmp_path, NOON - 3 * days.DAY_S - 60, 3)
    record(tmp_path, NOON - 60, 3)
    (tmp_path / name).unlink(missing_ok=True)
    put(tmp_path / name)
    assert Reader(tmp_path).last_stretch() in (1, 2)
    store = Store(tmp_path, ABOUT)
    store.begin(NOON, 100.0, "start")
    add(store, NOON, 2)
    assert store.flush() and store.is_writing
    store.close()
    assert seconds_in(tmp_path / DAY)[-2:] == [NOON, NOON + 1]
    (kept,) = tmp_path.glob("*.broken-*")
    assert store.problems == {"no file": f"{name} was no file; it is kept as {kept.name}"}
    assert not (tmp_path / "nowhere").exists()
    assert len(Reader(tmp_path).chunk(Span(), None).rows["emotion"]) > 0


@IMPOSTORS
def test_what_is_no_file_and_takes_the_place_of_todays_is_put_aside(
    store: Store, put: Callable[[Path], None]
) -> None:
    add(store, NOON, 2)
    store.flush()
    store.path.unlink()
    put(store.path)
    assert store.check() == "file"
    store.begin(NOON + 5, 105.0, "file")
    add(store, NOON + 5, 2)
    assert store.flush() and seconds_in(store.path) == [NOON + 5, NOON + 6]


def test_erasing_and_retention_leave_a_folder_that_was_put_aside(tmp_path: Path) -> None:
    session = record_session(tmp_path, NOON, 5)
    put_folder(tmp_path / f"{DAY}.broken-101010")
    os.mkfifo(tmp_path / f"{DAY}.broken-101011")
    assert erase(tmp_path, session) == ""
    record(tmp_path, NOON, 5)
    assert [*days.remove_old(tmp_path, "2027-01-01", 2**40, "")] == [DAY[:10]]
    assert [path.name for path in tmp_path.iterdir()] == [f"{DAY}.broken-101010"]
