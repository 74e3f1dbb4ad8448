from collections.abc import Iterator
from pathlib import Path

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from edge.bus.pubsub import Publisher
from edge.config import Config
from tests.support.audio import SHORT_S, silence, with_audio
from tests.support.harness import publishing


@pytest.fixture
def quick(with_hub: Config, directory: Path) -> Config:
    """Recordings of half a second of silence, at once."""
    source = str(silence(directory / "silence.wav"))
    return with_audio(with_hub, source=source, duration_s=SHORT_S, wait_s=0.0)


@pytest.fixture
def bus(with_hub: Config) -> Iterator[Publisher]:
    """Publishes what other services would."""
    with publishing(with_hub) as publisher:
        yield publisher


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before = gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory = MockFactory()
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.reset()
    gpiozero.Device.pin_factory = before
