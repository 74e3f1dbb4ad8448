"""Other users of this computer: what they put where root or the service looks, or hold."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bus.keys import Keys, KeysError
from edge.config import Config
from edge.config.file import config_file, load
from edge.errors import ConfigError
from edge.runtime.process import single_instance
from tests.support.harness import emotion_edge
from tests.support.sizes import LINK_RACES

pytestmark = pytest.mark.timeout(120)
NOBODY = 65534


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root's that nothing here may touch."""
    path = tmp_path / "victim"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def is_untouched(victim: Path) -> bool:
    status = victim.stat()
    owner = (status.st_uid, status.st_gid, status.st_mode & 0o777)
    return owner == (os.getuid(), os.getgid(), 0o600) and victim.read_text() == "precious"


@contextlib.contextmanager
def swapping(directory: Path, name: str, victim: Path) -> Iterator[None]:
    """Put a link to `victim` in the place of a new file as soon as it is there, again and again."""
    ended = threading.Event()
    new, link = directory / name, directory / ".link"

    def swap() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                if not new.is_symlink() and new.exists():
                    link.symlink_to(victim)
                    link.rename(new)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.root
def test_root_gives_away_no_file_that_a_link_leads_to(tmp_path: Path, victim: Path) -> None:
    folder = tmp_path / "keys"
    keys = Keys(folder)
    keys.make()
    os.chown(folder, NOBODY, NOBODY)
    with swapping(folder, ".laptop.pub.new", victim):
        for _ in range(LINK_RACES):
            with contextlib.suppress(KeysError):  # what it finds there is not its own
                keys.add("laptop", "kitchen")
            with contextlib.suppress(KeysError):
                keys.remove("laptop")
    assert is_untouched(victim)


@pytest.mark.parametrize("name", ["run", "hub"])
def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path, victim: Path, name: str) -> None:
    (tmp_path / f"{name}.lock").symlink_to(victim)
    with pytest.raises(ConfigError, match=f"remove {name}.lock"), single_instance(tmp_path, name):
        pass
    assert is_untouched(victim)


def test_a_lock_that_is_another_name_of_a_file_is_refused(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "hub.lock").hardlink_to(victim)
    with pytest.raises(ConfigError, match="remove it"), single_instance(tmp_path, "hub"):
        pass
    assert is_untouched(victim)


def test_a_lock_that_is_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.lock")
    with (
        pytest.raises(ConfigError, match=r"run\.lock is not a file"),
        single_instance(tmp_path, "run"),
    ):
        pass


@pytest.mark.parametrize("before", [None, 0o640])
def test_the_group_cannot_hold_a_lock(tmp_path: Path, before: int | None) -> None:
    lock = tmp_path / "hub.lock"
    if before is not None:
        lock.touch(before)
    with single_instance(tmp_path, "hub"):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_the_settings_of_run_are_no_file_that_others_can_replace(config: Config) -> None:
    before = list(config.directory.iterdir())
    with config_file(config) as descriptor:
        assert load(Path(f"/proc/self/fd/{descriptor}")) == config
        assert list(config.directory.iterdir()) == before


@pytest.mark.root
@pytest.mark.parametrize("command", ["watch", "record", "doctor", "run"])
def test_a_runtime_folder_that_somebody_else_made_is_not_believed(
    tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "emotion-edge"
    folder.mkdir(0o755)
    os.chown(folder, NOBODY, NOBODY)
    (tmp_path / "config.toml").write_text(f'bus.directory = "{folder}"\ncamera.source = "demo"\n')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "out"))
        listener.listen()
        with emotion_edge(command, "--config", tmp_path / "config.toml") as process:
            out, errors = process.communicate(timeout=60)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert f"{folder}: another user can write there" in (out if command == "doctor" else errors)
    assert process.returncode == (1 if command == "doctor" else 78)
    assert errors.count("\n") == (0 if command == "doctor" else 1)


def put_no_key(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to("/nonexistent/key")
    elif kind == "binary":
        path.write_bytes(b"\xff" * 40)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.touch()


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link", "binary", "empty", "endless"])
def test_what_is_no_key_is_named_once_and_costs_the_others_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    keys = Keys(tmp_path)
    keys.add("leaves", "kitchen")
    keys.add("stays", "kitchen")
    put_no_key(tmp_path / "odd.pub", kind)
    assert sorted(keys.allowed().values()) == ["leaves", "stays"]
    keys.remove("leaves")
    assert list(keys.allowed().values()) == ["stays"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{tmp_path}/odd.pub: ") and line.endswith("; ignored")


@pytest.mark.parametrize("damaged", [b"", b"x" * 39, b"\xff" * 40, b'"' * 40, b"x" * 80])
def test_with_a_damaged_device_key_nobody_is_added(tmp_path: Path, damaged: bytes) -> None:
    keys = Keys(tmp_path)
    keys.make()
    (tmp_path / "device.key").write_bytes(damaged)
    with pytest.raises(KeysError, match=r"device\.key is damaged; remove the folder"):
        keys.add("laptop", "kitchen")
    assert [path.name for path in tmp_path.iterdir()] == ["device.key"]


def test_a_device_key_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "device.key")
    with pytest.raises(KeysError, match="damaged"):
        Keys(tmp_path).secret()


@pytest.mark.parametrize("linked", [False, True])
def test_a_subscribers_file_overwrites_nothing(tmp_path: Path, victim: Path, linked: bool) -> None:
    target = tmp_path / "link" if linked else victim
    if linked:
        target.symlink_to(tmp_path / "new")
    keys = Keys(tmp_path / "keys")
    with pytest.raises(KeysError, match="File exists; laptop was not added"):
        keys.export(keys.add("laptop", "kitchen"), target)
    assert is_untouched(victim) and not (tmp_path / "new").exists()
    assert keys.allowed() == {}


@pytest.mark.root
def test_in_a_folder_of_roots_the_group_may_read_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(0o750)
    os.chown(folder, 0, 4712)
    folder.chmod(0o750)
    Keys(folder).add("laptop", "kitchen")
    for path in folder.iterdir():
        status = path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 4712, 0o640)


def test_in_a_folder_of_ones_own_nobody_else_may(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Keys(folder).add("laptop", "kitchen")
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
