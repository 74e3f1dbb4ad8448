"""The audio process in a thread, and what is sent to it and comes from it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from edge.bus.messages import (
    AudioMessage,
    HealthMessage,
    Message,
    Press,
    RecordingMessage,
    Trigger,
)
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.runtime.loop import Loop
from edge.services import audio
from tests.support.harness import Listener, listening, publishing, running

RATE_HZ = 16_000
SHORT_S = 0.5
"""The shortest recording that the settings allow."""
PIN, LED_PIN = 17, 27


def silence(path: Path, seconds: float = 1.0) -> Path:
    soundfile.write(path, np.zeros(round(seconds * RATE_HZ)), RATE_HZ)
    return path


def with_audio(config: Config, **changes: object) -> Config:
    return msgspec.structs.replace(config, audio=msgspec.structs.replace(config.audio, **changes))


@contextlib.contextmanager
def service(
    config: Config, run: Callable[[Config, Loop], None] = audio.run
) -> Iterator[tuple[Listener, Publisher]]:
    """The running service, a listener to what it publishes, and a publisher of presses."""
    with (
        listening(config.endpoint("out"), "recording", "audio", "health.audio") as listener,
        running(run, config),
        publishing(config) as publisher,
    ):
        listener.topic("health.audio")
        yield listener, publisher


def press(publisher: Publisher, trigger: Trigger = "key") -> None:
    publisher.publish("press", Press(t_ns=time.monotonic_ns(), time=time.time(), trigger=trigger))


def phase(name: str) -> Callable[[str, Message], bool]:
    return lambda _, message: isinstance(message, RecordingMessage) and message.phase == name


def health(state: str) -> Callable[[str, Message], bool]:
    return lambda _, message: isinstance(message, HealthMessage) and message.state == state


def result(listener: Listener) -> AudioMessage:
    message = listener.topic("audio")
    assert isinstance(message, AudioMessage)
    return message
