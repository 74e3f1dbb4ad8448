import os
from pathlib import Path

import pytest

from edge import paths
from edge.errors import ConfigError


def test_a_folder_of_our_own_is_made_for_us_alone(tmp_path: Path) -> None:
    paths.make_directory(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=r"another user can write there; set bus\.directory"):
        paths.make_directory(folder)


@pytest.mark.root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="another user"):
        paths.make_directory(folder)


@pytest.mark.root
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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://admin:p@ss@10.0.0.7/video", "http://***@10.0.0.7/video"),
        (
            "rtspsrc location=rtsp://me:x@cam/1 ! appsink",
            "rtspsrc location=rtsp://***@cam/1 ! appsink",
        ),
        ("http://cam/a@b", "http://cam/a@b"),
        ("film@home.mp4", "film@home.mp4"),
    ],
)
def test_an_address_is_shown_without_user_and_password(address: str, shown: str) -> None:
    assert paths.without_credentials(address) == shown
