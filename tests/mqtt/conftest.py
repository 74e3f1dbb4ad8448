"""A Mosquitto, who watches it, a Home Assistant beside it, and a bus that a device would fill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import Config
from tests.support.bus import Bus
from tests.support.harness import publishing
from tests.support.home_assistant import HomeAssistant, home_assistant
from tests.support.mosquitto import Mosquitto


@pytest.fixture
def home(tmp_path: Path, broker: Mosquitto) -> Iterator[HomeAssistant]:
    with home_assistant(tmp_path / "conf", broker) as home:
        yield home


@pytest.fixture
def bus(with_hub: Config) -> Iterator[Bus]:
    with publishing(with_hub) as publisher:
        yield Bus(publisher)
