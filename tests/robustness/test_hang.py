"""A process that stands still under `emotion-edge run` is killed, and started again."""

import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bus.messages import SERVICES, HealthMessage, Message
from edge.config import Config
from tests.support.harness import wait_for
from tests.support.product import is_alive, product, until_all_speak
from tests.support.sizes import FULL

NEW_S = 15.0


def is_new(message: Message) -> bool:
    return isinstance(message, HealthMessage) and message.uptime_s < NEW_S and message.seq < 200


@pytest.mark.parametrize("name", SERVICES if FULL else ("hub", "fusion"))
def test_a_process_that_is_stopped_is_killed_and_comes_back(config: Config, name: str) -> None:
    with product(config) as running:
        until_all_speak(running)
        first = running.pid(name)
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: running.pid(name) != first, f"{name} is back", 30.0)
        running.listener.until(lambda topic, m: topic == f"health.{name}" and is_new(m))
        assert f"{name} hangs; it is killed" in running.end()[1]


def test_a_film_that_becomes_a_fifo_and_a_film_again_is_shown_again(
    config: Config, tmp_path: Path
) -> None:
    film, kept = tmp_path / "film.mp4", tmp_path / "kept.mp4"
    writer = cv2.VideoWriter(str(kept), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(10):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    shutil.copy(kept, film)
    with product(config, "--camera", film) as running:
        until_all_speak(running)
        film.unlink()
        os.mkfifo(film)
        first = running.pid("camera")
        wait_for(lambda: not is_alive(first), "the camera's process is killed", 45.0)
        film.unlink()
        shutil.copy(kept, film)
        running.listener.until(
            lambda topic, m: topic == "health.camera" and is_new(m) and m.state == "ok",  # type: ignore
            30.0,
        )
