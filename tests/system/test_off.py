"""Devices for faces alone and for voices alone: they are well, and never wait for what is off."""

import pytest

from edge.bus.messages import OFF, SERVICES, HealthMessage
from edge.config import Config
from tests.support.harness import PATIENCE_S, emotion_edge
from tests.support.product import START_S, product

pytestmark = pytest.mark.slow


def healths(running, count=3):
    """The last of several messages of every service."""
    seen: dict[str, list[HealthMessage]] = {name: [] for name in SERVICES}

    def add(topic, message):
        if topic.startswith("health."):
            seen.setdefault(topic.removeprefix("health."), []).append(message)
        return all(len(messages) >= count for messages in seen.values())

    running.listener.until(add, START_S)
    return {name: messages[-1] for name, messages in seen.items()}


def test_a_device_without_a_camera_is_well(config: Config):
    with product(config, "--camera", "none", "--microphone", "none") as running:
        health = healths(running)
    assert (health["camera"].detail, health["face"].detail) == (OFF, OFF)
    assert health["camera"].state == health["face"].state == "ok"


def test_a_device_without_a_microphone_is_well_and_record_tells_why_not(config: Config):
    with product(config, "--microphone", "none") as running:
        health = healths(running)
        pressed = emotion_edge("record", f"ipc://{config.directory}/in")
        _, errors = pressed.communicate(timeout=PATIENCE_S)
    assert (health["audio"].state, health["audio"].detail) == ("ok", OFF)
    assert {name for name, message in health.items() if message.state != "ok"} == set()
    assert 'audio.source is "none"' in errors
