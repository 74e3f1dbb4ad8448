import json
import os
import pwd
from pathlib import Path

import pytest
import zmq

from edge import paths
from edge.bus.keys import Keys, KeysError, read_key
from edge.commands.main import main


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(f'device = "kitchen"\n[gateway]\nkeys = "{tmp_path / "keys"}"\n')
    return file


def keys(settings: Path, *arguments: str | Path) -> int:
    return main(["keys", "--config", str(settings), *map(str, arguments)])


def test_a_subscribers_file_holds_all_that_it_needs(settings: Path, tmp_path: Path) -> None:
    file = tmp_path / "laptop.key"
    assert keys(settings, "add", "laptop", file) == 0
    key = read_key(file)
    assert (key.name, key.device) == ("laptop", "kitchen")
    assert key.server == Keys(tmp_path / "keys").public()
    assert zmq.curve_public(key.secret.encode()).decode() == key.public


def test_a_subscribers_file_can_be_printed(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys(settings, "add", "laptop") == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "name", "device", "server", "public", "secret",
    }  # fmt: skip


def test_the_devices_key_is_made_once(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys(settings, "make") == 0
    public = Keys(tmp_path / "keys").public()
    assert keys(settings, "make") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("made ") and second.startswith("exists already")
    assert first.endswith(public) and second.endswith(public)


def test_those_who_may_pass_are_listed(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("wall", "laptop"):
        keys(settings, "add", name)
    keys(settings, "remove", "wall")
    capsys.readouterr()
    assert keys(settings, "list") == 0
    assert capsys.readouterr().out == "laptop\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "there are no keys yet; run `emotion-edge keys make`"),
        (["add", "../evil"], "'../evil' cannot be a subscriber's name"),
        (["add", ""], "'' cannot be a subscriber's name"),
        (["add", "laptop", "/nowhere/laptop.key"], "No such file or directory; laptop was not"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    settings: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert keys(settings, *arguments) == 1
    out, errors = capsys.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    assert errors.startswith("emotion-edge keys: ")
    assert said in errors


def test_a_name_is_given_once(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(settings, "add", "laptop")
    capsys.readouterr()
    assert keys(settings, "add", "laptop") == 1
    assert "`emotion-edge keys remove laptop` first" in capsys.readouterr().err


def test_a_key_that_was_not_handed_over_opens_nothing(settings: Path, tmp_path: Path) -> None:
    keys(settings, "add", "laptop", "/nowhere/laptop.key")
    assert Keys(tmp_path / "keys").allowed() == {}


def test_who_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    there = Keys(tmp_path)
    there.add("wall", "kitchen")
    with pytest.raises(KeysError, match="no subscriber is called wal; there is wall"):
        there.remove("wal")


def test_the_service_is_never_given_keys_that_it_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "etc/keys"
    closed.mkdir(parents=True)
    (tmp_path / "none.toml").touch()
    monkeypatch.setattr(paths, "SYSTEM_KEYS", closed)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    assert keys(tmp_path / "none.toml", "add", "laptop") == 1
    assert "sudo" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()


@pytest.mark.skipif(paths.SYSTEM_KEYS.exists(), reason="the product is installed here")
def test_the_keys_of_who_runs_the_tests_are_not_looked_at() -> None:
    assert paths.keys_directory().is_relative_to(os.environ["HOME"])
    assert not paths.keys_directory().is_relative_to(pwd.getpwuid(os.getuid()).pw_dir)


@pytest.mark.root
def test_a_subscribers_file_belongs_to_whoever_called_sudo(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "4711")
    monkeypatch.setenv("SUDO_GID", "4712")
    assert keys(settings, "add", "laptop", tmp_path / "laptop.key") == 0
    status = (tmp_path / "laptop.key").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (4711, 4712, 0o600)
    assert (tmp_path / "keys/laptop.pub").stat().st_uid == 0
