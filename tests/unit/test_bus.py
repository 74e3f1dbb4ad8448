import os
import time
from pathlib import Path

import pytest
import zmq

from edge import paths
from edge.bus import pubsub, sockets
from edge.bus.messages import Press
from edge.bus.sockets import BusError
from edge.errors import ConfigError
from edge.runtime.lock import single_instance


def press(sent_s_ago: float, age_ms: float = 0.0) -> Press:
    t_ns = time.monotonic_ns() - round(sent_s_ago * 1e9)
    return Press(t_ns=t_ns, time=time.time(), age_ms=age_ms, trigger="key")


def test_a_folder_of_our_own_is_made_for_us_alone(tmp_path: Path) -> None:
    paths.make_directory(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=r"another user can write there; set bus\.directory"):
        paths.make_directory(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="another user"):
        paths.make_directory(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
def test_the_folder_of_the_service_is_good_for_who_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o750)
    os.chown(folder, 65534, 65534)
    monkeypatch.setattr(paths, "SYSTEM_DIRECTORY", folder)
    paths.make_directory(folder)
    folder.chmod(0o770)
    with pytest.raises(ConfigError, match="another user"):
        paths.make_directory(folder)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="another user"):
        paths.make_directory(link)


def test_folders_are_not_made_all_the_way_down(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory; set bus\.directory"):
        paths.make_directory(tmp_path / "typo" / "emotion-edge")


@pytest.mark.parametrize("folder", ["a\0b", "/proc/self/emotion-edge"])
def test_a_folder_that_cannot_be_is_named(folder: str) -> None:
    with pytest.raises(ConfigError, match="cannot make"):
        paths.make_directory(Path(folder))


def test_a_lock_that_cannot_be_written_is_one_line() -> None:
    with (
        pytest.raises(ConfigError, match=r"set bus\.directory"),
        single_instance(Path("/proc"), "x"),
    ):
        pass


def test_two_of_a_kind_are_refused(tmp_path: Path) -> None:
    with (
        single_instance(tmp_path, "face"),
        pytest.raises(ConfigError, match=f"pid {os.getpid()}"),
        single_instance(tmp_path, "face"),
    ):
        pass


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://127.0.0.1:99999", "last port is 65535"),
        ("ipc:///tmp/" + "x" * 150, "107 bytes"),
        ("nonsense", "no such kind of address"),
    ],
)
def test_an_endpoint_that_cannot_be_is_named_with_the_reason(endpoint: str, why: str) -> None:
    socket = sockets.make_socket(zmq.PUB)
    with pytest.raises(BusError, match=why) as caught:
        sockets.bind(socket, endpoint)
    socket.close()
    assert endpoint in str(caught.value)


def test_a_message_is_late_by_its_way_not_by_its_subject() -> None:
    assert pubsub.is_late(press(sent_s_ago=5))
    assert not pubsub.is_late(press(sent_s_ago=0))
    assert not pubsub.is_late(press(sent_s_ago=5, age_ms=5000))


def test_an_event_that_was_held_up_is_no_news() -> None:
    assert pubsub.is_old_event("press", press(sent_s_ago=5))
    assert not pubsub.is_old_event("press", press(sent_s_ago=0))
