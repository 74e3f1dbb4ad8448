"""Brokers that refuse us, and those that break: never connected, and a line that tells why."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.bus.messages import HealthMessage, Message
from edge.config import Config, MqttConfig
from edge.errors import ConfigError, ExitCode
from edge.pipeline.mqtt import account, identity, topic_name
from edge.services import mqtt
from tests.support.certificates import Certificate, make_authority, make_certificate, needs_openssl
from tests.support.harness import (
    PATIENCE_S,
    emotion_edge,
    free_port,
    listening,
    running,
    write_config,
)
from tests.support.mosquitto import (
    Mosquitto,
    client,
    guarded,
    mosquitto,
    needs_mosquitto,
    password_file,
    with_broker,
)

MAX_WORDS = 10
SECRET = "correct-horse-battery"


def why_not(config: Config, expected: str) -> str:
    """The detail of a mqtt service that does not connect."""

    def is_it(_: str, message: Message) -> bool:
        return isinstance(message, HealthMessage) and expected in message.detail

    with listening(config.endpoint("out"), "health.mqtt") as listener, running(mqtt.run, config):
        message = listener.until(is_it, 2 * PATIENCE_S)
    assert isinstance(message, HealthMessage)
    assert message.state == "degraded"
    return message.detail


def words(detail: str) -> int:
    return len(detail.split())


# ------------------------------------------------------------------ TLS


def tls_settings(certificate: Certificate) -> str:
    return f"certfile {certificate.cert}\nkeyfile {certificate.key}\n"


def with_tls(config: Config, broker: Mosquitto, ca: Path) -> Config:
    return with_broker(config, broker, broker=f"mqtts://{broker.host}:{broker.port}", ca=str(ca))


@needs_openssl
@needs_mosquitto
def test_a_certificate_that_fits_is_accepted(with_hub: Config, directory: Path) -> None:
    authority = make_authority(directory)
    certificate = make_certificate(authority, directory)
    with mosquitto(directory, tls_settings(certificate)) as broker:
        config = with_tls(with_hub, broker, authority.cert)
        with (
            listening(config.endpoint("out"), "health.mqtt") as listener,
            running(mqtt.run, config),
        ):
            listener.until(lambda _, m: "mqtts" in m.detail and m.state == "ok")  # type: ignore


@needs_openssl
@needs_mosquitto
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, "local issuer certificate"),
        ({"days": -1}, "has expired"),
        ({"host": "DNS:elsewhere"}, "mismatch"),
    ],
    ids=["another authority", "expired", "another host"],
)
def test_a_certificate_that_does_not_fit_is_refused(
    with_hub: Config, directory: Path, made: dict[str, object], expected: str
) -> None:
    authority = make_authority(directory)
    certificate = make_certificate(authority, directory, **made)  # type: ignore[arg-type]
    trusted = authority if made else make_authority(directory, "other")
    with mosquitto(directory, tls_settings(certificate)) as broker:
        detail = why_not(with_tls(with_hub, broker, trusted.cert), "TLS")
    assert expected in detail and words(detail) <= MAX_WORDS


@pytest.mark.parametrize("setting", ["ca", "cert"])
def test_a_certificate_file_that_is_missing_is_bad_configuration(
    config: Config, setting: str
) -> None:
    files = {"ca": "no-such.pem"} if setting == "ca" else {"cert": "no.pem", "key": "no.key"}
    settings = MqttConfig(broker="mqtts://127.0.0.1", **files)
    with pytest.raises(ConfigError, match=rf"mqtt\.{setting} = .*no such file"):
        account(msgspec.structs.replace(config, mqtt=settings), "me")


# ------------------------------------------------------------- passwords


@needs_mosquitto
def test_a_wrong_password_is_refused(with_hub: Config, directory: Path) -> None:
    with guarded(directory, {"kitchen": SECRET}) as broker:
        file = password_file(directory, "wrong\n")
        config = with_broker(with_hub, broker, user="kitchen", password_file=file)
        detail = why_not(config, "not authorized")
    assert words(detail) <= MAX_WORDS


@needs_mosquitto
@pytest.mark.parametrize("way", ["file", "credential"])
def test_the_password_is_accepted_and_is_nowhere_to_be_seen(
    with_hub: Config, directory: Path, way: str
) -> None:
    with guarded(directory, {"kitchen": SECRET}) as broker:
        file = password_file(directory, f"{SECRET}\n")
        environment = dict(os.environ)
        settings = {"user": "kitchen"}
        if way == "file":
            settings["password_file"] = file
        else:
            (directory / "mqtt-password").write_text(SECRET)
            (directory / "mqtt-password").chmod(0o400)
            environment["CREDENTIALS_DIRECTORY"] = str(directory)
        config = with_broker(with_hub, broker, **settings)
        path = write_config(config, directory / "config.json")
        with (
            listening(config.endpoint("out"), "health.mqtt") as listener,
            emotion_edge("mqtt", "--config", path, env=environment) as process,
        ):
            health = listener.until(
                lambda _, m: isinstance(m, HealthMessage) and m.uptime_s > 1.0  # type: ignore
            )
            seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            seen += Path(f"/proc/{process.pid}/environ").read_bytes()
            process.terminate()
            out, errors = process.communicate(timeout=PATIENCE_S)
    assert isinstance(health, HealthMessage) and health.state == "ok", health.detail
    assert process.returncode == 0
    wanted = repr(account(config, "me")) if way == "file" else ""
    for text in (out, errors, seen.decode(), path.read_text(), health.detail, wanted):
        assert SECRET not in text


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        (None, 0, "No such file"),
        ("secret", 0o644, "chmod 640"),
        ("", 0o640, "write one line"),
        ("\n", 0o640, "write one line"),
        ("two\nlines", 0o640, "write one line"),
        ("x" * 5000, 0o640, "write one line"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_one_line_and_78(
    config: Config, directory: Path, text: str | None, mode: int, expected: str
) -> None:
    file = str(directory / "no-such") if text is None else password_file(directory, text, mode)
    settings = MqttConfig(broker="mqtt://127.0.0.1:9", user="me", password_file=file)
    path = write_config(msgspec.structs.replace(config, mqtt=settings), directory / "config.json")
    with emotion_edge("mqtt", "--config", path) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.BAD_CONFIG
    assert errors.count("\n") == 1 and expected in errors


def test_a_newline_at_the_end_is_no_part_of_the_password(config: Config, directory: Path) -> None:
    file = password_file(directory, "secret\n")
    settings = MqttConfig(broker="mqtt://127.0.0.1", user="me", password_file=file)
    assert account(msgspec.structs.replace(config, mqtt=settings), "me").password == "secret"


# ------------------------------------------------------ brokers that break


@contextlib.contextmanager
def tcp(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that accepts, answers and waits."""
    port, over = free_port(), threading.Event()
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(0.1)
        kept = []

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = server.accept()
                    kept.append(connection)
                    connection.setblocking(True)
                    connection.settimeout(1.0)
                    with contextlib.suppress(OSError):
                        connection.recv(1024)
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield port
        over.set()
        thread.join()
        for connection in kept:
            connection.close()


CONNACK = b"\x20\x02\x00\x00"


@pytest.mark.parametrize(
    "answer",
    [
        CONNACK + b"\xff" * 100,
        CONNACK + b"\x30\xff\xff\xff\xff\xff",
        CONNACK + b"\x30\x02\x00\xff",
        CONNACK + b"\x90\x00",
        b"\x20\x01\x00",
        os.urandom(500),
    ],
)
def test_a_broker_that_breaks_the_protocol_is_tried_again(with_hub: Config, answer: bytes) -> None:
    with tcp(lambda connection: connection.sendall(answer)) as port:
        config = msgspec.structs.replace(
            with_hub, mqtt=MqttConfig(broker=f"mqtt://127.0.0.1:{port}")
        )
        assert words(why_not(config, f"127.0.0.1:{port}: ")) <= MAX_WORDS


def published(name: str, payload: bytes) -> bytes:
    """The packet of a message for this device. MQTT 3.1.1, 3.3"""
    topic = f"emotion-edge/test/{name}".encode()
    body = len(topic).to_bytes(2, "big") + topic + payload
    return bytes([0x30, len(body)]) + body


def test_a_broker_that_sends_what_was_not_subscribed_to_records_nothing(with_hub: Config) -> None:
    answer = CONNACK + published("record", b"PRESS") + published("health/mqtt", b'{"id":"other"}')
    with (
        listening(with_hub.endpoint("out"), "press") as presses,
        tcp(lambda connection: connection.sendall(answer)) as port,
    ):
        broker = MqttConfig(broker=f"mqtt://127.0.0.1:{port}")
        why_not(msgspec.structs.replace(with_hub, mqtt=broker), "another device")
        assert not presses.subscriber.socket.poll(300)


@pytest.mark.slow
def test_a_broker_that_says_nothing_is_given_up(with_hub: Config) -> None:
    with tcp(lambda _: None) as port:
        config = msgspec.structs.replace(
            with_hub, mqtt=MqttConfig(broker=f"mqtt://127.0.0.1:{port}")
        )
        assert words(why_not(config, "does not answer")) <= MAX_WORDS


def test_a_broker_that_is_not_there_is_named(with_hub: Config) -> None:
    port = free_port()
    config = msgspec.structs.replace(with_hub, mqtt=MqttConfig(broker=f"mqtt://127.0.0.1:{port}"))
    assert words(why_not(config, "connection refused")) <= MAX_WORDS


def test_a_name_that_does_not_exist_is_named(with_hub: Config) -> None:
    config = msgspec.structs.replace(
        with_hub, mqtt=MqttConfig(broker="mqtt://no-such-host.invalid")
    )
    assert words(why_not(config, "name not found")) <= MAX_WORDS


@needs_mosquitto
def test_a_broker_that_refuses_what_is_retained_is_named(with_hub: Config, directory: Path) -> None:
    with mosquitto(directory, "retain_available false\n") as broker:
        detail = why_not(with_broker(with_hub, broker), "before CONNACK")
    assert words(detail) <= MAX_WORDS


@needs_mosquitto
def test_where_the_announcement_is_too_long_everything_else_arrives(
    with_hub: Config, directory: Path
) -> None:
    with mosquitto(directory, "max_packet_size 1024\n") as broker, client(broker) as watcher:
        config = with_broker(with_hub, broker)
        with listening(config.endpoint("out"), "health.mqtt") as health, running(mqtt.run, config):
            health.until(lambda _, m: "the broker refuses" in m.detail, 2 * PATIENCE_S)  # type: ignore
            watcher.until("test/health/hub")


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("device", "topic"),
    [
        ("kitchen", "kitchen"),
        ("Küche 1", "Kuche_1"),
        ("a/b+c#", "a_b_c"),
        ("~/$SYS", "SYS"),
        ("x" * 200, "x" * 64),
        ("厨房", ""),
    ],
)
def test_a_devices_name_becomes_a_topic(device: str, topic: str) -> None:
    assert topic_name(device) == topic


def test_a_name_without_a_letter_that_topics_have_is_the_machines() -> None:
    settings = MqttConfig(broker="mqtt://broker")
    me = identity(Config(device="厨房", mqtt=settings), "some machine")
    assert me.base == f"emotion-edge/{me.device_id.removeprefix('emotion-edge_')}"


def test_two_machines_of_one_name_are_two_devices() -> None:
    one, two = (identity(Config(device="pi"), machine) for machine in ("one", "two"))
    assert one.base == two.base and one.device_id != two.device_id
    assert "one" not in one.device_id.removeprefix("emotion-edge_")
