"""What the tests share: a configuration of its own for each, and a hub to meet at."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import BusConfig, Config
from edge.services import hub
from tests.helpers import free_port, running

# A shell has Ctrl-C ignored by what it runs in the background, and by all that this starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder with a short path: a local socket's may have 107 characters."""
    path = Path(tempfile.mkdtemp(prefix="ee-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def config(directory: Path) -> Config:
    bus = BusConfig(directory=str(directory), bind=f"tcp://127.0.0.1:{free_port()}")
    return Config(device="test", bus=bus)


@pytest.fixture
def with_hub(config: Config) -> Iterator[Config]:
    """The configuration, with a real hub running on it."""
    with running(hub.run, config):
        yield config
