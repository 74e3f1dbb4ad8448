"""The product in a real Home Assistant: `make test-ha` builds it and runs these."""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.bus.messages import SERVICES
from edge.config import BusConfig, Config
from tests.conftest import Measured
from tests.support.audio import silence, with_audio
from tests.support.bus import Bus, service
from tests.support.harness import (
    PATIENCE_S,
    ROOT,
    emotion_edge,
    wait_for,
    write_config,
)
from tests.support.home_assistant import HomeAssistant, is_built
from tests.support.mosquitto import Client, Mosquitto, client, with_broker
from tests.support.sizes import FULL

pytestmark = [
    pytest.mark.skipif(not is_built(), reason="no Home Assistant here: make test-ha builds it"),
    pytest.mark.root,
    pytest.mark.timeout(1800),
]

DEVICES = 100 if FULL else 20
DEVICES_A_PROCESS = 10
CHANGES = 40 if FULL else 10
QUIET_S = 600 if FULL else 60
ENTITIES = {
    "sensor.test_emotion": "happy",
    "sensor.test_confidence": "90",
    "sensor.test_faces": "1",
    "binary_sensor.test_face_present": "on",
}
STARTED = ("waiting", "recording")
GONE = ("unavailable", "unknown")


def until_right(home: HomeAssistant, bus: Bus, timeout_s: float = 90.0) -> float:
    """Seconds until all entities have the states that the bus has."""
    started_s = time.monotonic()
    while True:
        bus.faces_for(0.2)
        states = home.states("test_")
        if all(states.get(entity) == state for entity, state in ENTITIES.items()):
            return time.monotonic() - started_s
        assert time.monotonic() - started_s < timeout_s, states


def births(watcher: Client) -> list[float]:
    return [m.at_s for m in watcher.on("homeassistant/status") if m.text == "online"]


def restart(home: HomeAssistant, watcher: Client, bus: Bus) -> float:
    """Start it (again); from its birth until all is right, s."""
    home.stop()
    before = len(births(watcher))
    home.start()
    deadline_s = time.monotonic() + 180
    while len(births(watcher)) == before:
        bus.faces_for(0.2)
        assert time.monotonic() < deadline_s, home.output()[-2000:]
    born_s = births(watcher)[-1]
    home.until_up()
    until_right(home, bus)
    return time.monotonic() - born_s


def test_entities_are_right_whichever_starts_first_and_again_after_each_restart(
    with_hub: Config,
    broker: Mosquitto,
    watcher: Client,
    home: HomeAssistant,
    bus: Bus,
    measured: Measured,
) -> None:
    config = with_broker(with_hub, broker, record=True)
    home.start()
    home.until_up()
    with service(config):
        after_s = until_right(home, bus)
        states = home.states("test_")
        assert {f"sensor.test_process_{name}" for name in SERVICES} <= {*states}
        restarted_s = restart(home, watcher, bus)
        with_lost_store_s = lose_the_store(home, broker, bus)
        until_event(home, bus)
        database, rows = home.database_bytes(), home.rows()
        for _ in range(int(QUIET_S / 2)):  # no two states are alike
            bus.faces_for(2.0, confidence=random.uniform(0.5, 0.9))
        grown_mb, rows = (home.database_bytes() - database) / 1e6, home.rows() - rows
    wait_for(lambda: home.state("sensor.test_emotion")["state"] == "unavailable", "unavailable")
    assert home.mqtt_warnings() == []
    an_hour = 3600 / QUIET_S
    bar = 1 if FULL else None  # a minute has too little of its own
    measured(f"states that it stored in {QUIET_S} s of one face", rows, None, "")
    measured("its database grows by, in an hour of one face", grown_mb * an_hour, bar, "MB")
    measured("device started after Home Assistant, all right", after_s, 10, "s")
    measured("Home Assistant's birth, after a restart, to all right", restarted_s, 10, "s")
    measured("broker restarted without its store, all right", with_lost_store_s, 35, "s")


def until_event(home: HomeAssistant, bus: Bus) -> None:
    """Record until the event is there: one that comes before Home Assistant listens is lost."""
    started_s = time.monotonic()
    while "level_dbfs" not in home.state("event.test_voice")["attributes"]:
        bus.voice(1)
        bus.faces_for(2.0)
        assert time.monotonic() - started_s < 30, home.state("event.test_voice")


def lose_the_store(home: HomeAssistant, broker: Mosquitto, bus: Bus) -> float:
    broker.restart()
    started_s = time.monotonic()
    bus.faces_for(3.0)
    until_right(home, bus)
    return time.monotonic() - started_s


def test_a_change_of_the_face_is_in_home_assistant_soon(
    with_hub: Config,
    broker: Mosquitto,
    home: HomeAssistant,
    bus: Bus,
    measured: Measured,
) -> None:
    home.start()
    home.until_up()
    took_s = []
    with service(with_broker(with_hub, broker)):
        until_right(home, bus)
        for number in range(CHANGES):
            label = ("sad", "happy")[number % 2]
            bus.faces_for(random.random(), ("happy", "sad")[number % 2])
            changed_s = time.monotonic()
            while home.state("sensor.test_emotion")["state"] != label:
                bus.faces_for(0.03, label)
                assert time.monotonic() - changed_s < PATIENCE_S
            took_s.append(time.monotonic() - changed_s)
            bus.faces_for(1.0, label)
    p95_s = sorted(took_s)[int(0.95 * (len(took_s) - 1))]
    measured("a changed emotion of the bus in Home Assistant, p95", p95_s, 1.5, "s")


def test_its_button_records(
    with_hub: Config,
    broker: Mosquitto,
    watcher: Client,
    home: HomeAssistant,
    directory: Path,
    measured: Measured,
) -> None:
    config = with_broker(with_hub, broker, record=True)
    config = with_audio(config, source=str(silence(directory / "a.wav", 3.0)), duration_s=2.0)
    file = write_config(config, directory / "config.json")
    home.start()
    home.until_up()
    with service(config), emotion_edge("audio", "--config", file) as audio:
        try:
            watcher.until("test/recording", lambda m: m["phase"] == "idle", timeout_s=60)
            wait_for(lambda: "button.test_record_voice" in home.states("test_"), "the button")
            since, pressed_s = len(watcher.received), time.monotonic()
            home.call("/api/services/button/press", {"entity_id": "button.test_record_voice"})
            began = watcher.until("test/recording", lambda m: m["phase"] in STARTED, since)
            result = watcher.until("voice/event", since=since)
            wait_for(lambda: home.state("sensor.test_last_voice")["state"] not in GONE, "the voice")
        finally:
            audio.terminate()
            audio.communicate(timeout=PATIENCE_S)
    measured("press in Home Assistant to recording", 1000 * (began.at_s - pressed_s), 300, "ms")
    measured("press to the result, less the 2 s of sound", result.at_s - pressed_s - 2, 3.5, "s")


def test_a_hundred_devices_are_back_after_a_restart(
    config: Config, broker: Mosquitto, watcher: Client, home: HomeAssistant, measured: Measured
) -> None:
    """Each the product's own service with a connection of its own; a few share a process."""
    with contextlib.ExitStack() as stack:
        for first in range(0, DEVICES, DEVICES_A_PROCESS):
            stack.enter_context(devices(with_broker(config, broker), first))
        home.start()
        home.until_up()
        wait_for(lambda: back(home) == DEVICES, "all devices", 120)
        home.stop()
        before, told = len(births(watcher)), len(watcher.on("/config"))
        home.start()
        wait_for(lambda: len(births(watcher)) > before, "its birth", 180)
        born_s = births(watcher)[-1]
        wait_for(lambda: back(home) == DEVICES, "all devices again", 120)
        back_s = time.monotonic() - born_s
        wait_for(lambda: len(watcher.on("/config")) >= told + DEVICES, "all announcements", 30)
    at_s = [m.at_s for m in watcher.on("/config")[told:]]
    spread_s = max(at_s) - min(at_s)
    measured(f"announcements of {DEVICES} devices are spread over", spread_s, None, "s")
    measured(f"{DEVICES} devices after Home Assistant's birth, all back", back_s, 60, "s")
    assert spread_s >= 5 * (0.8 if DEVICES < 100 else 1)


@contextlib.contextmanager
def devices(config: Config, first: int) -> Iterator[None]:
    folder = config.directory / str(first)
    config = msgspec.structs.replace(config, bus=BusConfig(directory=str(folder)))
    file = write_config(config, config.directory.with_suffix(".json"))
    command = [sys.executable, "-m", "tests.mqtt.devices", file, first, DEVICES_A_PROCESS]
    process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, cwd=ROOT)
    try:
        yield
    finally:
        process.communicate(timeout=60)


def back(home: HomeAssistant) -> int:
    """How many devices are there and available."""
    with contextlib.suppress(OSError):
        states = home.states("_process_hub")
        return sum(state not in GONE for state in states.values())
    return 0


def test_forgotten_it_leaves_nothing(
    with_hub: Config, broker: Mosquitto, home: HomeAssistant, bus: Bus, directory: Path
) -> None:
    config = with_broker(with_hub, broker)
    home.start()
    home.until_up()
    with service(config):
        until_right(home, bus)
    file = write_config(config, directory / "config.json")
    with emotion_edge("mqtt", "forget", "--config", file) as forget:
        out, errors = forget.communicate(timeout=PATIENCE_S)
    assert (forget.returncode, errors) == (0, ""), out
    wait_for(lambda: home.states("test_") == {}, "no entity is left")
    with client(broker) as later:
        time.sleep(0.5)
        assert [m.topic for m in later.received if m.retained] == []
