import contextlib
import logging
import os
import random
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.keys import Keys, SubscriberKey, read_key
from edge.bus.messages import TOPICS, HealthMessage
from edge.bus.remote import is_local
from edge.client import RefusedError, Subscription
from edge.config import BusConfig, Config
from edge.errors import ConfigError
from edge.services import hub
from tests.doors import (
    UNHEARD_S,
    add_key,
    emotion,
    forged_key,
    locked,
    next_heard,
    outside,
    parts_within,
    stranger,
)
from tests.helpers import free_port, listening, publishing, running, wait_for


@pytest.fixture
def door(config: Config) -> Iterator[Config]:
    """A hub whose door is open to the network, and locked."""
    config = locked(config)
    with running(hub.run, config):
        with listening(config.endpoint("out"), "health.hub") as ear:
            ear.topic("health.hub")
        yield config


def test_a_subscriber_with_a_key_is_let_in_while_the_hub_runs(door: Config) -> None:
    key = add_key(door, "laptop")
    with publishing(door) as publisher, Subscription(outside(door), ["emotion"], key) as laptop:
        sent = publisher.publish("emotion", emotion())
        assert next_heard(laptop, "emotion").message == sent


def test_an_unknown_key_hears_nothing_and_is_told_why(door: Config) -> None:
    with Subscription(outside(door), [""], forged_key(door)) as mallory:
        with pytest.raises(RefusedError, match=r"does not know this key.*keys add NAME"):
            next_heard(mallory, "health.hub", UNHEARD_S)
        assert not mallory.offsets, "something was received"


def test_no_key_hears_nothing_and_learns_that_there_is_a_lock(
    door: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with Subscription(outside(door)) as plain, pytest.raises(TimeoutError):
        next_heard(plain, "health.hub", 3.5)
    assert "has it a lock" in caplog.text
    with stranger(zmq.SUB, outside(door)) as other:
        assert parts_within(other, UNHEARD_S) == []


def test_a_device_that_is_not_the_keys_own_is_not_believed(door: Config) -> None:
    add_key(door, "laptop")
    key = msgspec.json.decode((door.directory / "laptop.key").read_bytes(), type=SubscriberKey)
    wrong = msgspec.structs.replace(key, server=zmq.curve_keypair()[0].decode())
    with stranger(zmq.SUB, outside(door), wrong) as subscriber:
        assert parts_within(subscriber, UNHEARD_S) == []


def test_a_subscriber_that_is_removed_is_cut_off_and_the_others_are_not(door: Config) -> None:
    leaves, stays = add_key(door, "leaves"), add_key(door, "stays")
    with (
        publishing(door) as publisher,
        Subscription(outside(door), [""], leaves) as first,
        Subscription(outside(door), [""], stays) as second,
    ):
        publisher.publish("emotion", emotion("sad"))
        next_heard(first, "emotion")
        next_heard(second, "emotion")
        Keys(door.keys_directory).remove("leaves")
        with pytest.raises(RefusedError):
            next_heard(first, "press", 5.0)
        sent = publisher.publish("emotion", emotion("happy"))
        while next_heard(second, "emotion").message != sent:
            pass


def test_a_stranger_is_worth_one_line_a_minute(
    door: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(5):
        key = read_key(forged_key(door))
        with stranger(zmq.SUB, outside(door), key) as mallory:
            assert parts_within(mallory, 0.3) == []
    said = [r.message for r in caplog.records if r.name == "edge.bus.remote"]
    assert said == ["turned away 127.0.0.1: its key may not pass here"]


def shapes(count: int) -> Iterator[list[bytes]]:
    """Messages that a forger may try: right ones, wrong ones, requests, noise."""
    chance = random.Random(6)
    right = messages.encode(emotion("angry"))
    for number in range(count):
        topic = chance.choice([*TOPICS, "", "nonsense"]).encode()
        noise = chance.randbytes(chance.randrange(900))
        yield [
            [topic, right],
            [b"\x01" + topic, right],
            [b"\x00" + topic],
            [noise],
            [topic, noise],
            [topic, right, right],
            [b"\x01" + noise, noise],
            [b"", topic, right],
        ][number % 8]


@pytest.mark.parametrize("lock", [True, False])
def test_of_a_thousand_forged_messages_none_reaches_any_process(config: Config, lock: bool) -> None:
    config = locked(config) if lock else config
    with (
        running(hub.run, config),
        listening(config.endpoint("out")) as process,
        publishing(config) as publisher,
    ):
        key = read_key(add_key(config, "insider")) if lock else None
        with stranger(zmq.XSUB, outside(config), key) as forger:
            forger.send(b"\x01health.hub")
            assert forger.poll(5000), "it was not let in, so this test would prove nothing"
            forger.setsockopt(zmq.SNDTIMEO, 5000)
            for parts in shapes(1000):
                forger.send_multipart(parts)
            forger.send(b"\x01emotion")
            sent = publisher.publish("emotion", emotion("happy"))
            while forger.recv_multipart()[0] != b"emotion":
                pass  # so the hub has taken all that came before
        process.until(lambda _, message: message == sent)
        health = process.topic("health.hub")
    assert {topic for topic, _ in process.heard} == {"health.hub", "emotion"}
    assert [m for t, m in process.heard if t == "emotion"] == [sent]
    assert isinstance(health, HealthMessage) and health.dropped == 0


@pytest.mark.parametrize("kind", [zmq.PUB, zmq.PUSH, zmq.DEALER, zmq.REQ, zmq.PAIR])
def test_a_socket_that_is_no_subscriber_reaches_nobody(config: Config, kind: int) -> None:
    with running(hub.run, config), listening(config.endpoint("out")) as process:
        with stranger(kind, outside(config)) as forger, publishing(config) as publisher:
            forger.setsockopt(zmq.SNDTIMEO, 200)
            with contextlib.suppress(zmq.Again):
                forger.send_multipart([b"emotion", messages.encode(emotion("angry"))])
            sent = publisher.publish("emotion", emotion("happy"))
            process.topic("health.hub")
            process.until(lambda topic, _: topic == "health.hub")
        assert [m for t, m in process.heard if t == "emotion"] == [sent]


@pytest.mark.parametrize("lock", [True, False])
def test_who_fills_the_hub_with_subscriptions_is_cut_off(
    config: Config, lock: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = locked(config) if lock else config
    chance = random.Random(6)
    with running(hub.run, config), publishing(config) as publisher:
        insider, laptop = (
            add_key(config, name) if lock else None for name in ("insider", "laptop")
        )
        with stranger(zmq.XSUB, outside(config), read_key(insider) if insider else None) as forger:
            forger.send(b"\x01health.hub")
            assert forger.poll(5000)
            forger.setsockopt(zmq.SNDTIMEO, 200)
            with contextlib.suppress(zmq.Again):  # it is not let in again
                for _ in range(5000):
                    forger.send(b"\x01" + chance.randbytes(900))
            who = "'insider'" if lock else "someone"
            wait_for(lambda: f"{who} has subscribed to 500 things" in caplog.text, "it is said")
            with Subscription(outside(config), ["emotion"], laptop) as other:
                sent = publisher.publish("emotion", emotion())
                assert next_heard(other, "emotion").message == sent
            if insider:
                with (
                    Subscription(outside(config), ["emotion"], insider) as again,
                    pytest.raises(RefusedError),
                ):
                    next_heard(again, "emotion", 5.0)


def test_a_handshake_cut_at_any_byte_hurts_nobody(door: Config) -> None:
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
    hello = b"\x04\xc8\x05HELLO\x01\x00" + bytes(192)
    port = int(door.bus.bind.rpartition(":")[2])
    key = add_key(door, "laptop")
    for length in range(len(greeting + hello) + 1):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall((greeting + hello)[:length])
    with publishing(door) as publisher, Subscription(outside(door), ["emotion"], key) as laptop:
        sent = publisher.publish("emotion", emotion())
        assert next_heard(laptop, "emotion").message == sent


def test_without_keys_the_door_does_not_open_to_the_network(config: Config) -> None:
    door = BusConfig(
        directory=config.bus.directory, bind="tcp://*:5556", keys=str(config.directory)
    )
    with (
        pytest.raises(ConfigError, match=r"tcp://\*:5556 .* run `emotion-edge keys add NAME`"),
        running(hub.run, msgspec.structs.replace(config, bus=door)),
    ):
        pass


def test_a_door_without_a_lock_is_complained_of_at_every_start_and_in_health(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    door = BusConfig(
        directory=config.bus.directory,
        bind=f"tcp://0.0.0.0:{free_port()}",
        insecure=True,
        announce=False,
    )
    config = msgspec.structs.replace(config, bus=door)
    with running(hub.run, config), listening(outside(config)) as listener:
        health = listener.topic("health.hub")
    assert isinstance(health, HealthMessage)
    assert health.state == "degraded"
    assert "open to everyone (bus.insecure)" in health.detail
    assert "open to everyone (bus.insecure)" in caplog.text


def test_an_address_that_comes_later_is_waited_for(
    config: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a start before DHCP has answered. 192.0.2.0/24 is nobody's (RFC 5737)."""
    door = BusConfig(
        directory=config.bus.directory,
        bind=f"tcp://192.0.2.7:{free_port()}",
        insecure=True,
        announce=False,
    )
    config = msgspec.structs.replace(config, bus=door)
    really_bind = sockets.bind

    def bind_as_if_it_had_come(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
        really_bind(socket, endpoint.replace("192.0.2.7", "127.0.0.1"))

    waits = "this device has no such address"
    with running(hub.run, config), listening(config.endpoint("out")) as local:
        local.until(lambda _, m: isinstance(m, HealthMessage) and waits in m.detail)
        monkeypatch.setattr(sockets, "bind", bind_as_if_it_had_come)
        local.until(lambda _, m: isinstance(m, HealthMessage) and waits not in m.detail)
        with listening(config.bus.bind.replace("192.0.2.7", "127.0.0.1")) as other:
            other.topic("health.hub")
    assert caplog.text.count(waits) == 1


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:5556", True),
        ("tcp://127.8.0.1:5556", True),
        ("tcp://localhost:5556", True),
        ("tcp://[::1]:5556", True),
        ("ipc:///run/emotion-edge/door", True),
        ("tcp://*:5556", False),
        ("tcp://0.0.0.0:5556", False),
        ("tcp://192.168.1.7:5556", False),
        ("tcp://eth0:5556", False),
        ("tcp://127.0.0.1.example.org:5556", False),
        ("tcp://[::]:5556", False),
    ],
)
def test_a_door_is_local_only_where_no_other_host_can_reach_it(endpoint: str, local: bool) -> None:
    assert is_local(endpoint) is local


def test_secrets_are_closed_to_other_users(door: Config) -> None:
    file = add_key(door, "laptop")
    for path in (door.keys_directory / "device.key", file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(door.directory.stat().st_mode) & 0o007 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes keys for another user")
def test_keys_that_root_adds_belong_to_the_folders_owner(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    os.chown(tmp_path, 1234, 1234)
    keys.add("laptop", "kitchen")
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {1234}
