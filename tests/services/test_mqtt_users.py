"""Users and what they may, as docs/mqtt.md has it; and the doctor on its way to a broker."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.commands.doctor import Finding, check_mqtt
from edge.config import Config, MqttConfig
from edge.pipeline.mqtt import identity
from edge.services import mqtt
from tests.support.harness import ROOT, free_port, listening, running
from tests.support.mosquitto import (
    Mosquitto,
    client,
    guarded,
    needs_mosquitto,
    password_file,
    with_broker,
)

pytestmark = needs_mosquitto

ACL = ROOT / "docs" / "mqtt" / "mosquitto.acl"
USERS = {"test": "one", "hall": "two", "homeassistant": "three"}


@pytest.fixture
def broker(directory: Path) -> Iterator[Mosquitto]:
    with guarded(directory, USERS, ACL) as broker:
        yield broker


@pytest.fixture
def device(with_hub: Config, broker: Mosquitto, directory: Path) -> Config:
    """Called `test`, as its user."""
    file = password_file(directory, USERS["test"])
    return with_broker(with_hub, broker, user="test", password_file=file, record=True)


def test_each_device_writes_below_its_own_name_and_home_assistant_records(
    device: Config, broker: Mosquitto
) -> None:
    with (
        client(broker, "#", "homeassistant", USERS["homeassistant"]) as home,
        client(broker, "none", "hall", USERS["hall"]) as hall,
        listening(device.endpoint("out"), "press") as presses,
        running(mqtt.run, device),
    ):
        for name in ("/config", "test/availability", "test/health/mqtt"):
            home.until(name)
        hall.publish("emotion-edge/test/emotion", b"forged")
        hall.publish("emotion-edge/test/record", b"PRESS")
        hall.publish(f"homeassistant/device/test/{identity(device).device_id}/config", b"", True)
        assert not presses.subscriber.socket.poll(500)
        home.publish("emotion-edge/test/record", b"PRESS")
        presses.topic("press")
        assert home.on("test/emotion") == []
        assert [m for m in home.on("/config") if not m.payload] == []


def found(config: Config) -> list[Finding]:
    return [*check_mqtt(config)]


def steps(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.state, one.detail.partition(":")[0]) for one in findings]


def changed(config: Config, **changes: object) -> Config:
    return msgspec.structs.replace(config, mqtt=msgspec.structs.replace(config.mqtt, **changes))


def test_the_doctor_goes_every_step_to_a_broker(device: Config) -> None:
    ok = [("ok", step) for step in ("DNS", "TCP", "login", "publish")]
    assert steps(found(device)) == ok


def test_the_doctor_names_the_step_that_fails(device: Config, directory: Path) -> None:
    nowhere = changed(device, broker="mqtt://no-such-host.invalid")
    assert steps(found(nowhere)) == [("missing", "DNS")]
    closed = changed(device, broker=f"mqtt://127.0.0.1:{free_port()}")
    assert steps(found(closed)) == [("ok", "DNS"), ("missing", "TCP")]
    plain = changed(device, broker=device.mqtt.broker.replace("mqtt:", "mqtts:"))
    assert steps(found(plain)) == [("ok", "DNS"), ("ok", "TCP"), ("missing", "TLS")]
    password_file(directory, "wrong")
    assert steps(found(device))[-1] == ("missing", "login")


def test_the_doctor_finds_that_publishing_is_forbidden(
    device: Config, broker: Mosquitto, directory: Path
) -> None:
    file = password_file(directory, USERS["hall"])
    foreign = with_broker(device, broker, user="hall", password_file=file)
    assert steps(found(foreign))[-1] == ("missing", "publish")


def test_the_doctor_reports_settings_that_cannot_be_used(config: Config) -> None:
    settings = MqttConfig(broker="mqtt://127.0.0.1", user="me", password_file="/no/such")
    (finding,) = found(msgspec.structs.replace(config, mqtt=settings))
    assert finding.state == "broken" and "/no/such" in finding.detail


@pytest.mark.root
def test_the_doctor_tells_who_may_read_the_password(config: Config, directory: Path) -> None:
    file = Path(password_file(directory, "secret", 0o600))
    settings = MqttConfig(broker="mqtt://127.0.0.1", user="me", password_file=str(file))
    os.seteuid(65534)  # nobody
    try:
        (finding,) = found(msgspec.structs.replace(config, mqtt=settings))
    finally:
        os.seteuid(0)
    assert finding.state == "broken" and "log in again" in finding.fix
