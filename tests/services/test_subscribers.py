"""The worked subscribers of docs/subscribers, run as their first line says."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bus.keys import read_key
from edge.config import Config
from tests.support.harness import ROOT, publishing, with_endpoints
from tests.support.remote import add_key, emotion, remote_address, with_remote

FOLDER = ROOT / "docs" / "subscribers"
FILES = sorted(FOLDER.iterdir())
COMPILE_S = 60


@pytest.fixture(params=["key", "plain"])
def device(config: Config, request: pytest.FixtureRequest) -> Iterator[tuple[Config, Path | None]]:
    """A running hub and the subscriber's key, where it needs one."""
    config = with_remote(config) if request.param == "key" else config
    key = add_key(config, "robot") if request.param == "key" else None
    with with_endpoints(config):
        yield config, key


def first_line(command: list[str], device: Config) -> str:
    """What the program prints first, while an emotion is published."""
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        publishing(device) as publisher,
    ):
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    return line


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_subscriber_has_at_most_twenty_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 20


def test_python_subscribes(device: tuple[Config, Path | None]) -> None:
    config, key = device
    command = [sys.executable, str(FOLDER / "subscribe.py"), remote_address(config)]
    line = first_line([*command, *([str(key)] if key else [])], config)
    assert line == "test happy 0.9\n"


def test_node_subscribes(device: tuple[Config, Path | None]) -> None:
    config, key = device
    if not (ROOT / "node_modules" / "zeromq").is_dir() or shutil.which("node") is None:
        pytest.skip("no node, or no zeromq for it: npm install --no-save zeromq")
    command = ["node", str(FOLDER / "subscribe.mjs"), remote_address(config)]
    line = first_line([*command, *([str(key)] if key else [])], config)
    assert line == "test happy 0.9\n"


def test_c_subscribes(device: tuple[Config, Path | None], tmp_path: Path) -> None:
    config, key = device
    program = tmp_path / "subscribe"
    if shutil.which("cc") is None or not Path("/usr/include/zmq.h").exists():
        pytest.skip("no C compiler, or no libzmq for it: apt install libzmq3-dev")
    compile_it = ["cc", "-Wall", "-Werror", str(FOLDER / "subscribe.c"), "-o", program, "-lzmq"]
    subprocess.run(compile_it, check=True, timeout=COMPILE_S)
    keys = [] if key is None else [read_key(key).server, read_key(key).public, read_key(key).secret]
    line = first_line([str(program), remote_address(config), *keys], config)
    assert json.loads(line)["emotion"] == "happy"
