"""What all tests share: their lanes, a home of their own, a configuration for each, and a hub."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.config import BusConfig, Config, GatewayConfig
from edge.runtime.process import configure_libraries
from edge.services import hub
from tests.support.harness import DATA, free_port, running, with_endpoints
from tests.support.mosquitto import Client, Mosquitto, client, mosquitto
from tests.support.sizes import SLACK

# A shell has Ctrl-C ignored by what it runs in the background, and by all that this starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
configure_libraries()

Measured = Callable[[str, float, float | None, str], None]
SLOW = ("mqtt", "readers", "robustness", "system", "web")
"""Folders whose tests start the whole product, or push it for seconds."""
SKIP_ROOT = pytest.mark.skip(reason="needs root")
SKIP_DATA = pytest.mark.skip(reason=f"no data at {DATA} (EMOTION_EDGE_DATA names the folder)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests into lanes, and leave out those that this machine cannot run."""
    for item in items:
        if item.path.parent.name in SLOW:
            item.add_marker("slow")
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(SKIP_ROOT)
        if item.get_closest_marker("data") and not DATA.is_dir():
            item.add_marker(SKIP_DATA)


@pytest.fixture(scope="session", autouse=True)
def home() -> Iterator[Path]:
    """A home that is empty: the user's own keys and settings change no test, and no test them."""
    with (
        tempfile.TemporaryDirectory(prefix="ee-home-") as name,
        pytest.MonkeyPatch.context() as env,
    ):
        home = Path(name)
        env.setenv("HOME", name)
        for variable in ("CONFIG", "CACHE", "DATA", "STATE"):
            env.setenv(f"XDG_{variable}_HOME", str(home / variable.lower()))
        env.setenv("XDG_RUNTIME_DIR", str(home / "run"))
        (home / "run").mkdir(mode=0o700)
        yield home


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


@pytest.fixture
def broker(directory: Path) -> Iterator[Mosquitto]:
    """A Mosquitto that lets everybody in."""
    with mosquitto(directory) as broker:
        yield broker


@pytest.fixture
def watcher(broker: Mosquitto) -> Iterator[Client]:
    """A client that keeps all that the broker passes on."""
    with client(broker) as watcher:
        yield watcher


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Iterator["Measured"]:
    """Takes figures, for the report (benchmarks/robustness.py), and fails if one missed its bar."""
    missed = []

    def take(what: str, value: float, bar: float | None, unit: str) -> None:
        print(f"{what}: {value:.3g} {unit} (bar: {bar})")
        record_property("figure", json.dumps([what, value, bar, unit]))
        if bar is not None and value > bar * SLACK.get(unit, 1):
            missed.append(f"{what}: {value:.3g} {unit}, may be {bar * SLACK.get(unit, 1):g} {unit}")

    yield take
    assert not missed, "; ".join(missed)
