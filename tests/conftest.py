"""What the tests share: a configuration of its own for each, and a hub to meet at."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import BusConfig, Config, GatewayConfig
from edge.services import hub
from tests.helpers import free_port, running, with_endpoints

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
    endpoints = GatewayConfig(local=f"tcp://127.0.0.1:{free_port()}")
    return Config(device="test", bus=BusConfig(directory=str(directory)), gateway=endpoints)


@pytest.fixture
def with_hub(config: Config) -> Iterator[Config]:
    """The configuration, with a real hub running on it."""
    with running(hub.run, config):
        yield config


@pytest.fixture
def with_gateway(config: Config) -> Iterator[Config]:
    """The configuration, with a real hub and a real gateway running on it."""
    with with_endpoints(config):
        yield config
