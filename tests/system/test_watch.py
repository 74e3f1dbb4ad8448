"""`watch` on this host, and whether what is really sent fits the shipped schema."""

import contextlib
import csv
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
import soundfile

from edge import paths
from edge.bus.messages import OPTIONAL_SERVICES, TOPICS, Press
from edge.bus.pubsub import send_once
from edge.bus.schema import SHIPPED
from edge.commands.watch_table import COLOURS
from edge.config import Config
from edge.services import hub
from tests.support.harness import (
    PATIENCE_S,
    emotion_edge,
    listening,
    publishing,
    running,
    with_endpoints,
)
from tests.support.messages import example
from tests.support.product import product, until_all_speak
from tests.support.remote import forged_key, remote_address, with_remote


@pytest.fixture
def here(config: Config, directory: Path) -> Iterator[dict[str, str]]:
    """A hub where this user's processes meet; the environment in which that is so."""
    if paths.SYSTEM_CONFIG.exists() or paths.SYSTEM_DIRECTORY.exists():
        pytest.skip("the product is installed on this machine, and is not touched")
    bus = msgspec.structs.replace(config.bus, directory=str(directory / "emotion-edge"))
    with running(hub.run, msgspec.structs.replace(config, bus=bus)):
        yield {**os.environ, "XDG_RUNTIME_DIR": str(directory)}


def test_watch_without_an_address_shows_this_device_where_it_runs(here: dict[str, str]) -> None:
    with emotion_edge("watch", "--count", "2", env=here) as process:
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [["test", "health.hub"]] * 2


def test_watch_as_csv_has_a_header_and_a_row_a_message(here: dict[str, str]) -> None:
    with emotion_edge("watch", "--csv", "--count", "2", env=here) as process:
        out, errors = process.communicate(timeout=60)
    first, second = csv.DictReader(out.splitlines())
    assert (process.returncode, errors) == (0, "")
    assert (first["device"], first["topic"], first["state"]) == ("test", "health.hub", "ok")
    assert float(second["time"]) > float(first["time"])


def test_watch_without_an_address_does_not_look_for_others_where_this_device_runs(
    here: dict[str, str],
) -> None:
    with emotion_edge("watch", env=here, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[:2] == ["test", "health.hub"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@contextlib.contextmanager
def watching(
    *arguments: str, size: tuple[int, int], **options: object
) -> Iterator[tuple["subprocess.Popen[str]", Callable[[str], list[str]]]]:
    """`watch` in a terminal of (columns, lines); ends with Ctrl-C.

    Gives the process, and a function that reads on until a screen with a text is complete.
    """
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    shown = b""

    def screen_with(text: str) -> list[str]:
        nonlocal shown
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            shown += os.read(keyboard, 4096)
            complete = shown.decode("utf-8", "ignore").split("\x1b[H")[1:-1]
            if complete and text in complete[-1]:
                return complete[-1].splitlines()[:-1]
        raise AssertionError(f"{text!r} not within {PATIENCE_S} s: {shown[-4096:]!r}")

    with emotion_edge("watch", *arguments, stdout=terminal, **options) as process:
        os.close(terminal)
        yield process, screen_with
        process.send_signal(signal.SIGINT)
        reader = threading.Thread(target=read_on, args=(keyboard,))
        reader.start()  # a terminal that is not read fills up, and who writes to it waits
        assert process.wait(PATIENCE_S) == 0
        reader.join()
    os.close(keyboard)


def read_on(keyboard: int) -> None:
    """Until nobody has the terminal open any more."""
    with contextlib.suppress(OSError):
        while os.read(keyboard, 4096):
            pass


def environment(here: dict[str, str], **changes: str) -> dict[str, str]:
    """Where the terminal's own size counts."""
    removed = {"COLUMNS", "LINES", "NO_COLOR"}
    kept = {name: value for name, value in here.items() if name not in removed}
    return {**kept, "PYTHONIOENCODING": "utf-8", **changes}


def test_watch_in_a_terminal_keeps_one_line_a_topic(here: dict[str, str]) -> None:
    with watching(size=(100, 24), env=environment(here)) as (_, screen_with):
        screen_with("health.hub")
        screen = screen_with("live")
    assert len(screen) == 3, "the device, its one topic, the line at the foot"


@pytest.mark.parametrize("size", [(80, 8), (40, 12)])
def test_watch_shows_face_voice_and_emotion_in_a_small_terminal(
    here: dict[str, str], config: Config, size: tuple[int, int]
) -> None:
    bus = msgspec.structs.replace(config.bus, directory=f"{here['XDG_RUNTIME_DIR']}/emotion-edge")
    inside = msgspec.structs.replace(config, bus=bus)
    services = sum(topic.startswith("health.") for topic in TOPICS)
    with (
        publishing(inside) as publisher,
        watching(size=size, env=environment(here)) as (_, screen_with),
    ):
        screen_with("health.hub")
        for topic in TOPICS:
            if topic != "health.hub":
                now = {"t_ns": time.monotonic_ns(), "time": time.time()}
                publisher.publish(topic, msgspec.structs.replace(example(topic), **now))
        screen = [plain(line) for line in screen_with(f"{services} services ok")]
    assert len(screen) < size[1]
    assert max(map(len, screen)) < size[0]
    for topic, emotion in (("face", "happy"), ("audio", "calm"), ("emotion", "calm")):
        (line,) = [line for line in screen if line.split()[0] == topic]
        assert emotion in line
        assert "█" in line


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_there_unless_they_are_not_wanted(
    here: dict[str, str], config: Config, no_color: str, coloured: bool
) -> None:
    bus = msgspec.structs.replace(config.bus, directory=f"{here['XDG_RUNTIME_DIR']}/emotion-edge")
    inside = msgspec.structs.replace(config, bus=bus)
    env = environment(here, NO_COLOR=no_color)
    with publishing(inside) as publisher, watching(size=(80, 24), env=env) as (_, screen_with):
        screen_with("health.hub")
        publisher.publish("emotion", example("emotion"))
        (line,) = [line for line in screen_with("calm") if "calm" in line]
    assert (COLOURS["calm"] in line) == coloured


def test_in_german_the_screen_and_the_lines_are_german(
    here: dict[str, str], tmp_path: Path
) -> None:
    settings = tmp_path / "de.toml"
    settings.write_text("[display]\nlanguage = 'de'\n")
    endpoint, env = f"ipc://{here['XDG_RUNTIME_DIR']}/emotion-edge/out", environment(here)
    arguments = endpoint, "--config", str(settings)
    with watching(*arguments, size=(100, 24), env=env) as (_, screen_with):
        assert "Strg-C beendet" in screen_with("in Ordnung")[-1]
    with emotion_edge("watch", *arguments, "--count", "1", env=env) as process:
        line = process.communicate(timeout=60)[0]
    assert re.search(r"health.hub +in Ordnung, \d+,\d/s", line)
    assert re.search(r"\(vor \d,\d s\)$", line.strip())


def test_what_is_piped_has_no_escape_sequences(here: dict[str, str]) -> None:
    with emotion_edge("watch", "--count", "1", env=environment(here)) as process:
        assert "\x1b" not in process.communicate(timeout=60)[0]


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)


def test_where_nothing_runs_watch_asks_whether_it_runs(tmp_path: Path) -> None:
    if paths.SYSTEM_CONFIG.exists() or paths.SYSTEM_DIRECTORY.exists():
        pytest.skip("the product is installed on this machine, and is not touched")
    with emotion_edge("watch", env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}) as process:
        out, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("another device was found on this network")
    assert (process.returncode, out, errors.count("\n")) == (1, "", 1)
    assert "nothing runs here; is `emotion-edge run` running?" in errors


def test_where_nothing_answers_the_screen_asks_whether_it_runs(directory: Path) -> None:
    address, env = f"ipc://{directory}/out", environment(dict(os.environ))
    with watching(address, size=(80, 8), env=env, stderr=subprocess.DEVNULL) as (_, screen_with):
        screen_with("is `emotion-edge run` running?")


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5"])
def test_a_count_that_is_none_is_an_error_of_the_command_line(count: str) -> None:
    with emotion_edge("watch", "--count", count) as process:
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert f"--count: {count}: not a whole number above 0" in errors


def test_a_key_that_is_unknown_ends_watch_with_one_line(config: Config) -> None:
    config = with_remote(config)
    with (
        with_endpoints(config),
        emotion_edge("watch", remote_address(config), "--key", forged_key(config)) as process,
    ):
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("emotion-edge watch: authentication failed for tcp://127.0.0.1:")


def test_what_is_really_sent_fits_the_shipped_schema(config: Config, directory: Path) -> None:
    schema = json.loads(SHIPPED.read_bytes())
    validators = {
        topic: jsonschema.Draft202012Validator({**schema, **schema["topics"][topic]})
        for topic in TOPICS
    }
    sound = directory / "noise.wav"
    write_noise(sound)
    config = msgspec.structs.replace(
        config,
        audio=msgspec.structs.replace(config.audio, source=str(sound)),
        camera=msgspec.structs.replace(config.camera, preview_hz=2.0),
    )
    missing = {name for name, topic in TOPICS.items() if topic.publisher not in OPTIONAL_SERVICES}
    with product(config) as running:
        until_all_speak(running)
        with listening(config.endpoint("out")) as listener:
            listener.topic("health.hub")
            press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
            send_once(config.endpoint("in"), config.device_name, "press", press)
            deadline_s = time.monotonic() + 60
            while missing and time.monotonic() < deadline_s:
                if listener.subscriber.socket.poll(100):
                    topic, body = listener.subscriber.socket.recv_multipart()
                    validators[topic.decode()].validate(json.loads(body))
                    missing.discard(topic.decode())
    assert not missing


def write_noise(path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 48_000)
    soundfile.write(path, noise.astype(np.int16), 16_000)
