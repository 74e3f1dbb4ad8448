"""`watch` on this host, and whether what is really sent fits the shipped schema."""

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
import soundfile

from edge import paths
from edge.bus.messages import TOPICS, Press
from edge.bus.pubsub import send_once
from edge.bus.schema import SHIPPED
from edge.config import Config
from edge.services import hub
from tests.support.harness import PATIENCE_S, emotion_edge, listening, running, with_endpoints
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


def read_on(keyboard: int) -> None:
    """Until nobody has the terminal open any more."""
    with contextlib.suppress(OSError):
        while os.read(keyboard, 4096):
            pass


def test_watch_in_a_terminal_keeps_one_line_a_topic(here: dict[str, str]) -> None:
    keyboard, terminal = pty.openpty()
    endpoint = f"ipc://{here['XDG_RUNTIME_DIR']}/emotion-edge/out"
    size = {**here, "COLUMNS": "100", "LINES": "24"}
    with emotion_edge("watch", endpoint, env=size, stdout=terminal) as process:
        shown, deadline_s = b"", time.monotonic() + PATIENCE_S
        while shown.count(b"health.hub") < 3 and time.monotonic() < deadline_s:
            shown += os.read(keyboard, 4096)
        process.send_signal(signal.SIGINT)
        # A terminal that is not read fills up, and who writes to it waits.
        reader = threading.Thread(target=read_on, args=(keyboard,))
        reader.start()
        assert process.wait(PATIENCE_S) == 0
        os.close(terminal)
        reader.join()
    os.close(keyboard)
    screen = shown.decode().split("\x1b[H")[-2]
    assert screen.count("\n") == 3, "the device, its one topic, the line at the foot"
    assert "live" in screen


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
    missing = set(TOPICS)
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
