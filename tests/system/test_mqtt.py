"""`emotion-edge run` with a broker in its settings: one process more, and the doctor knows it."""

from pathlib import Path

import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.config import Config
from tests.support.harness import emotion_edge
from tests.support.mosquitto import client, mosquitto, needs_mosquitto, with_broker
from tests.support.product import START_S, product, until_all_speak

pytestmark = needs_mosquitto


def test_run_starts_it_beside_the_others_and_the_doctor_tries_the_broker(
    config: Config, directory: Path
) -> None:
    with mosquitto(directory) as broker, client(broker) as watcher:
        config = with_broker(config, broker)
        with product(config) as running:
            until_all_speak(running)
            watcher.until("test/emotion", lambda m: m["emotion"] != "nobody", timeout_s=START_S)
            doctor = emotion_edge("doctor", "--config", config.directory / "config.json")
            out, errors = doctor.communicate(timeout=START_S)
            assert (doctor.returncode, errors) == (0, "")
            assert "publish: emotion-edge/test/doctor" in out and "running. mqtt://" in out
            code, errors = running.end()
        watcher.until("test/availability", lambda m: m.text == "offline")
    assert code == 0, errors
