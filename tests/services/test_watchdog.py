"""Every service as systemd starts it (Type=notify, WatchdogSec=), with nothing plugged in."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.bus.messages import SERVICES
from edge.config import Config
from edge.devices.camera.source import CameraError
from edge.devices.microphone.portaudio import MicrophoneError, Stream
from edge.devices.soc import Soc
from edge.inference.face_emotion import FaceEmotion
from edge.pipeline.face import FaceAnalyzer
from edge.pipeline.voice import VoiceAnalyzer
from edge.runtime.loop import Loop
from edge.services import audio, camera, face
from tests.support.camera import Camera, make_image
from tests.support.harness import PATIENCE_S, emotion_edge, running, write_config
from tests.support.systemd import WATCHDOG_S, Systemd

STARVED_S = 3 * WATCHDOG_S
DEGRADED = {
    "camera": "degraded: no camera at /dev/video63",
    "face": "degraded: no frames from the camera",
    "audio": "degraded: no microphone",
    "display": "ok: no screen",
}


@pytest.fixture
def systemd(directory: Path) -> Iterator[Systemd]:
    systemd = Systemd(directory)
    yield systemd
    systemd.close()


@pytest.fixture
def notified(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """systemd, for a service in this process. A hub that runs already says nothing to it."""
    for name, value in systemd.environment.items():
        monkeypatch.setenv(name, value)
    return systemd


def bare(config: Config) -> Config:
    """The settings of a board to which nothing is connected."""
    replace = msgspec.structs.replace
    return replace(
        config,
        camera=replace(config.camera, source="/dev/video63"),
        audio=replace(config.audio, source="no such microphone"),
        display=replace(config.display, framebuffer=str(config.directory / "no-fb")),
    )


@contextlib.contextmanager
def process(name: str, config: Config, systemd: Systemd) -> Iterator[int]:
    """The service's own process, alone on its bus; its id."""
    file = write_config(bare(config), config.directory / "config.json")
    desktop = ("DISPLAY", "WAYLAND_DISPLAY")
    environment = {key: value for key, value in os.environ.items() if key not in desktop}
    child = emotion_edge(name, "--config", file, env={**environment, **systemd.environment})
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGCONT)
        child.terminate()
        child.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_ready_feeds_the_watchdog_and_says_that_it_stops(
    name: str, config: Config, systemd: Systemd
) -> None:
    with process(name, config, systemd) as pid:
        systemd.until("READY=1")
        systemd.until("STATUS=" + DEGRADED.get(name, "ok"))
        systemd.forget()
        systemd.until("WATCHDOG=1")
        systemd.until("WATCHDOG=1")
        os.kill(pid, signal.SIGTERM)
        systemd.until("STOPPING=1")
    assert "READY=1" not in systemd.received[systemd.received.index("READY=1") + 1 :]


def test_a_process_that_stands_still_starves_the_watchdog(config: Config, systemd: Systemd) -> None:
    with process("fusion", config, systemd) as pid:
        systemd.until("WATCHDOG=1")
        os.kill(pid, signal.SIGSTOP)
        assert systemd.is_quiet("", STARVED_S)


class Hanging:
    """A device that never answers, until the test is over. A camera and a microphone."""

    about = "hanging"
    rate_hz = 30

    def __init__(self) -> None:
        self.over = threading.Event()
        self.images = [np.zeros((48, 64, 3), np.uint8)] * 3

    def read(self) -> np.ndarray:
        if self.images:
            return self.images.pop()
        self.over.wait()
        raise CameraError("over")

    def open(self) -> Stream:
        self.over.wait()
        raise MicrophoneError("over")

    def close(self) -> None:
        """Nothing is held."""


def serve_camera(camera_: Hanging, config: Config, loop: Loop) -> None:
    try:
        camera.serve(config, loop, lambda: camera_)
    finally:
        camera_.over.set()


def test_a_camera_that_hangs_in_its_driver_starves_the_watchdog(
    config: Config, notified: Systemd
) -> None:
    with running(partial(serve_camera, Hanging()), config):
        notified.until("WATCHDOG=1")
        notified.until("STATUS=degraded: no frame for 1.5 s")
        assert notified.is_quiet("WATCHDOG=1", STARVED_S)


def test_a_camera_that_hangs_while_it_is_opened_starves_the_watchdog_later(
    config: Config, notified: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "OPEN_TIMEOUT_S", 2.0)
    hanging = Hanging()
    hanging.images.clear()
    with running(partial(serve_camera, hanging), config):
        notified.until("STATUS=degraded")
        notified.until("WATCHDOG=1")
        assert notified.is_quiet("WATCHDOG=1", STARVED_S)


def test_a_microphone_that_hangs_in_its_driver_starves_the_watchdog(
    config: Config, notified: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(audio.TIMEOUT_S, "opening", 1.0)
    monkeypatch.setattr(audio, "IDLE_PERIOD_S", 0.1)
    hanging = Hanging()
    analyzer = VoiceAnalyzer.from_config(config.audio, 1)

    def serve(config: Config, loop: Loop) -> None:
        try:
            audio.serve(config, loop, hanging, analyzer)
        finally:
            hanging.over.set()

    with running(serve, config):
        notified.until("READY=1")
        assert notified.is_quiet("WATCHDOG=1", STARVED_S)
        hanging.over.set()


def test_an_inference_that_hangs_starves_the_watchdog(config: Config, notified: Systemd) -> None:
    over = threading.Event()
    stuck = threading.Event()

    class Detector:
        about = "stuck"

        def detect(self, _: np.ndarray) -> list[object]:
            stuck.set()
            over.wait()
            return []

    classifier = FaceEmotion(Path(config.face.model))
    analyzer = FaceAnalyzer(Detector(), classifier, config.face)
    eye = Camera(config)
    with running(partial(face.serve, analyzer=analyzer, soc=Soc()), config):
        show_until(stuck.is_set, eye)
        notified.forget()
        assert notified.is_quiet("", STARVED_S)
        over.set()
    eye.publisher.close()


def show_until(condition: Callable[[], bool], eye: Camera) -> None:
    """Show images until somebody looks."""
    for _ in range(600):
        if condition():
            return
        eye.show(make_image())
        threading.Event().wait(0.05)
    pytest.fail("nobody looked")
