"""From a face that changes in front of the camera to the broker: the product's own processes."""

import contextlib
import itertools
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.bus.messages import FACE_LABELS
from edge.config import Config
from edge.pipeline.face import FaceAnalyzer
from tests.conftest import Measured
from tests.support.bus import service
from tests.support.camera import Camera
from tests.support.harness import PATIENCE_S, emotion_edge, write_config
from tests.support.models import research_data
from tests.support.mosquitto import (
    Client,
    Received,
    client,
    mosquitto,
    needs_mosquitto,
    with_broker,
)
from tests.support.sizes import FULL

pytestmark = [needs_mosquitto, pytest.mark.data, pytest.mark.timeout(1200)]

RATE_HZ = 30
CHANGES = 40 if FULL else 6
PUBLIC_TEST, MIN_CONFIDENCE = 1, 0.9


def faces(config: Config, label: str) -> Iterator[np.ndarray]:
    """Scenes (480, 640, 3) with a face that the device finds, and surely names so.

    Two of them are two people to the device, so that a change is one of the person, too.
    """
    with np.load(research_data("fer2013.npz")) as data:
        rows = data["usage"] == PUBLIC_TEST
        images = data["images"][rows][data["labels"][rows] == FACE_LABELS.index(label)]
    for image in images:
        scene = np.full((480, 640, 3), 110, np.uint8)
        large = cv2.resize(image, (240, 240), interpolation=cv2.INTER_CUBIC)
        scene[120:360, 200:440] = large[:, :, np.newaxis]
        if is_steady(FaceAnalyzer.from_config(config.face, 1), scene, label):
            yield scene


def is_steady(analyzer: FaceAnalyzer, scene: np.ndarray, label: str) -> bool:
    """Whether two seconds of it are one face with this label in every frame."""
    for number in range(2 * RATE_HZ):
        found = analyzer.analyze(scene, number / RATE_HZ)
        if [(one.emotion, one.held) for one in found] != [(label, False)]:
            return False
    return found[0].confidence > MIN_CONFIDENCE


@contextlib.contextmanager
def processes(file: Path) -> Iterator[None]:
    running = [
        emotion_edge(name, "--config", file, stderr=subprocess.DEVNULL)
        for name in ("face", "fusion")
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def arrived(watcher: Client, label: str, since: int) -> list[Received]:
    return [
        one
        for one in watcher.received[since:]
        if one.topic.endswith("test/emotion") and one["emotion"] == label
    ]


def show(camera: Camera, scene: np.ndarray, seconds: float) -> None:
    """At the rate of a camera."""
    began_s = time.monotonic()
    for number in itertools.count(1):
        camera.show(scene)
        time.sleep(max(0.0, began_s + number / RATE_HZ - time.monotonic()))
        if time.monotonic() - began_s >= seconds:
            break


def test_a_face_that_changes_is_at_the_broker_soon(
    with_hub: Config,
    directory: Path,
    measured: Measured,
) -> None:
    scenes = {label: next(faces(with_hub, label)) for label in ("happy", "sad")}
    took_s = []
    with mosquitto(directory) as broker:
        config = with_broker(with_hub, broker)
        file = write_config(config, directory / "config.json")
        camera = Camera(config)
        with processes(file), service(config), client(broker) as watcher:
            show(camera, scenes["happy"], 12.0)
            assert watcher.until("test/emotion", lambda m: m["emotion"] == "happy")
            for number in range(CHANGES):
                label = ("sad", "happy")[number % 2]
                since, began_s = len(watcher.received), time.monotonic()
                while not (sent := arrived(watcher, label, since)):
                    show(camera, scenes[label], 0.1)
                    assert time.monotonic() - began_s < PATIENCE_S, label
                took_s.append(sent[0].at_s - began_s)
                show(camera, scenes[label], 2.0 + random.random())
        camera.publisher.close()
    p95_s = sorted(took_s)[int(0.95 * (len(took_s) - 1))]
    measured("a face that changes before the camera to the broker, p95", p95_s, 1.5, "s")
