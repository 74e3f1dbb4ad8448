import contextlib
import logging
import os
import random
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import authenticator, messages, sockets
from edge.bus import remote as remote_endpoint
from edge.bus.authenticator import Bans
from edge.bus.keys import Keys, KeysError, SubscriberKey, read_key
from edge.bus.messages import NOBODY, TOPICS, Change, HealthMessage, Press
from edge.client import RefusedError, Subscription
from edge.config import Config, GatewayConfig, is_local
from edge.services import gateway, hub
from tests.support.harness import (
    Listener,
    free_port,
    listening,
    publishing,
    running,
    wait_for,
    with_endpoints,
)
from tests.support.remote import (
    NOTHING_S,
    add_key,
    emotion,
    forged_key,
    next_received,
    parts_within,
    raw_socket,
    remote_address,
    with_remote,
)


def press() -> Press:
    return Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="key")


@pytest.fixture
def remote(with_gateway: Config) -> Iterator[Listener]:
    with listening(with_gateway.gateway.local) as listener:
        yield listener


def test_what_is_published_arrives_here_and_at_other_hosts(
    with_gateway: Config, remote: Listener
) -> None:
    with listening(with_gateway.endpoint("out")) as local, publishing(with_gateway) as publisher:
        sent = publisher.publish("emotion", emotion())
        assert local.topic("emotion") == remote.topic("emotion") == sent


def test_a_press_does_not_leave_the_device(with_gateway: Config, remote: Listener) -> None:
    with publishing(with_gateway) as publisher:
        publisher.publish("press", press())
        publisher.publish("emotion", emotion())
        remote.topic("emotion")
    assert "press" not in {topic for topic, _ in remote.received}


def test_a_change_reaches_other_programs_and_is_never_replayed(
    with_gateway: Config, remote: Listener
) -> None:
    change = Change(
        t_ns=time.monotonic_ns(), time=time.time(), previous=NOBODY, emotion="happy", lasted_s=2.0
    )
    remote.topic("health.gateway")  # it has subscribed
    with publishing(with_gateway) as publisher:
        sent = publisher.publish("change", change)
        assert remote.topic("change") == sent
        publisher.publish("emotion", emotion())
        with listening(with_gateway.gateway.local) as later:
            later.topic("emotion")
    assert "change" not in {topic for topic, _ in later.received}


def test_nothing_comes_in_through_the_gateway(with_gateway: Config, remote: Listener) -> None:
    intruder = sockets.make_socket(zmq.XSUB)
    intruder.connect(with_gateway.gateway.local)
    forged = emotion("angry")
    for parts in ([b"emotion", messages.encode(forged)], [b"\x02emotion"], [b"\x00"]):
        intruder.send_multipart(parts)
    with publishing(with_gateway) as publisher:
        sent = publisher.publish("emotion", emotion())
        remote.until(lambda _, m: m == sent)
    intruder.close()
    assert [m for t, m in remote.received if t == "emotion"] == [sent]


def test_a_replay_on_the_local_bus_is_not_sent_again(
    with_gateway: Config, remote: Listener
) -> None:
    with publishing(with_gateway) as publisher:
        first = publisher.publish("emotion", emotion("sad"))
        remote.until(lambda _, m: m == first)
        with listening(with_gateway.endpoint("out"), "emotion") as late:
            late.topic("emotion")
        second = publisher.publish("emotion", emotion("happy"))
        remote.until(lambda _, m: m == second)
    assert [m for t, m in remote.received if t == "emotion"] == [first, second]


def test_a_gateway_that_comes_back_knows_the_last_values(with_hub: Config) -> None:
    with publishing(with_hub) as publisher:
        sent = publisher.publish("emotion", emotion("sad"))
        with running(gateway.run, with_hub), listening(with_hub.gateway.local) as listener:
            listener.until(lambda _, m: m == sent)


def test_a_port_that_is_taken_is_named_and_tried_again(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_endpoint, "RETRY_S", 0.1)
    port = int(config.gateway.local.rpartition(":")[2])
    in_use = lambda _, m: isinstance(m, HealthMessage) and "in use" in m.detail  # noqa: E731
    with socket.create_server(("127.0.0.1", port)), contextlib.ExitStack() as stack:
        stack.enter_context(running(hub.run, config))
        stack.enter_context(running(gateway.run, config))
        listener = stack.enter_context(listening(config.endpoint("out"), "health.gateway"))
        assert config.gateway.local in listener.until(in_use).detail
        holds = stack.pop_all()
    with holds, listening(config.gateway.local) as other:
        other.topic("health.gateway")


def test_the_remote_endpoint_leaves_the_local_one_plain(config: Config) -> None:
    both = msgspec.structs.replace(with_remote(config).gateway, local=config.gateway.local)
    config = msgspec.structs.replace(config, gateway=both)
    with (
        with_endpoints(config),
        publishing(config) as publisher,
        listening(config.gateway.local, "emotion") as local,
        Subscription(remote_address(config), ["emotion"], add_key(config, "laptop")) as laptop,
    ):
        sent = publisher.publish("emotion", emotion())
        assert local.topic("emotion") == next_received(laptop, "emotion").message == sent


@pytest.fixture
def secured(config: Config) -> Iterator[Config]:
    """A gateway with a remote endpoint, and keys."""
    config = with_remote(config)
    with with_endpoints(config):
        yield config


def test_a_subscriber_with_a_key_is_let_in_while_the_hub_runs(secured: Config) -> None:
    key = add_key(secured, "laptop")
    with (
        publishing(secured) as publisher,
        Subscription(remote_address(secured), ["emotion"], key) as laptop,
    ):
        sent = publisher.publish("emotion", emotion())
        assert next_received(laptop, "emotion").message == sent


def test_an_unknown_key_receives_nothing_and_is_told_why(secured: Config) -> None:
    with Subscription(remote_address(secured), [""], forged_key(secured)) as mallory:
        with pytest.raises(RefusedError, match=r"authentication failed for .*keys add NAME"):
            next_received(mallory, "health.gateway", NOTHING_S)
        assert not mallory.offsets, "something was received"


def test_no_key_receives_nothing_and_learns_that_there_is_a_lock(
    secured: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with Subscription(remote_address(secured)) as plain, pytest.raises(TimeoutError):
        next_received(plain, "health.gateway", 3.5)
    assert "handshake failed: encryption or server key mismatch" in caplog.text
    with raw_socket(zmq.SUB, remote_address(secured)) as other:
        assert parts_within(other, NOTHING_S) == []


def test_a_device_that_is_not_the_keys_own_is_not_believed(secured: Config) -> None:
    add_key(secured, "laptop")
    key = msgspec.json.decode((secured.directory / "laptop.key").read_bytes(), type=SubscriberKey)
    wrong = msgspec.structs.replace(key, server=zmq.curve_keypair()[0].decode())
    with raw_socket(zmq.SUB, remote_address(secured), wrong) as subscriber:
        assert parts_within(subscriber, NOTHING_S) == []


def test_a_subscriber_that_is_removed_is_cut_off_and_the_others_are_not(secured: Config) -> None:
    leaves, stays = add_key(secured, "leaves"), add_key(secured, "stays")
    with (
        publishing(secured) as publisher,
        Subscription(remote_address(secured), [""], leaves) as first,
        Subscription(remote_address(secured), [""], stays) as second,
    ):
        publisher.publish("emotion", emotion("sad"))
        next_received(first, "emotion")
        next_received(second, "emotion")
        Keys(secured.keys_directory).remove("leaves")
        with pytest.raises(RefusedError):
            next_received(first, "press", 5.0)
        sent = publisher.publish("emotion", emotion("happy"))
        while next_received(second, "emotion").message != sent:
            pass


def test_an_unknown_client_is_worth_one_line_a_minute(
    secured: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(5):
        key = read_key(forged_key(secured))
        with raw_socket(zmq.SUB, remote_address(secured), key) as mallory:
            assert parts_within(mallory, 0.3) == []
    said = [r.message for r in caplog.records if r.name == "edge.bus.authenticator"]
    assert said == ["authentication failed for 127.0.0.1: unknown key"]


def shapes(count: int) -> Iterator[list[bytes]]:
    """Messages that a forger may try: right ones, wrong ones, requests, noise."""
    chance = random.Random(6)
    right = messages.encode(emotion("angry"))
    noises = [chance.randbytes(chance.randrange(400)) for _ in range(50)]
    for number in range(count):
        topic = chance.choice([*TOPICS, "", "nonsense"]).encode()
        noise = chance.choice(noises)
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
    config = with_remote(config) if lock else config
    with (
        with_endpoints(config),
        listening(config.endpoint("out")) as process,
        publishing(config) as publisher,
    ):
        key = read_key(add_key(config, "insider")) if lock else None
        with raw_socket(zmq.XSUB, remote_address(config), key) as forger:
            forger.send(b"\x01health.gateway")
            assert forger.poll(5000), "it was not let in, so this test would prove nothing"
            forger.setsockopt(zmq.SNDTIMEO, 200)
            with contextlib.suppress(zmq.Again):  # it is disconnected, and with a key for good
                for parts in shapes(1000):
                    forger.send_multipart(parts)
            process.topic("health.gateway")
        sent = publisher.publish("emotion", emotion("happy"))
        process.until(lambda _, message: message == sent)
        health = process.topic("health.gateway")
    assert {t for t, _ in process.received} <= {"health.hub", "health.gateway", "emotion"}
    assert [m for t, m in process.received if t == "emotion"] == [sent]
    assert isinstance(health, HealthMessage) and health.dropped == 0


@pytest.mark.parametrize("kind", [zmq.PUB, zmq.PUSH, zmq.DEALER, zmq.REQ, zmq.PAIR])
def test_a_socket_that_is_no_subscriber_reaches_nobody(config: Config, kind: int) -> None:
    with with_endpoints(config), listening(config.endpoint("out")) as process:
        with raw_socket(kind, remote_address(config)) as forger, publishing(config) as publisher:
            forger.setsockopt(zmq.SNDTIMEO, 200)
            with contextlib.suppress(zmq.Again):
                forger.send_multipart([b"emotion", messages.encode(emotion("angry"))])
            sent = publisher.publish("emotion", emotion("happy"))
            process.topic("health.gateway")
            process.until(lambda topic, _: topic == "health.gateway")
        assert [m for t, m in process.received if t == "emotion"] == [sent]


@pytest.mark.parametrize("lock", [True, False])
def test_who_fills_the_gateway_with_subscriptions_is_cut_off(
    config: Config, lock: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = with_remote(config) if lock else config
    chance = random.Random(6)
    with with_endpoints(config), publishing(config) as publisher:
        insider, laptop = (
            add_key(config, name) if lock else None for name in ("insider", "laptop")
        )
        with raw_socket(
            zmq.XSUB, remote_address(config), read_key(insider) if insider else None
        ) as forger:
            forger.send(b"\x01health.gateway")
            assert forger.poll(5000)
            forger.setsockopt(zmq.SNDTIMEO, 200)
            with contextlib.suppress(zmq.Again):  # it is not let in again
                for _ in range(5000):
                    forger.send(b"\x01" + chance.randbytes(400 if lock else 50))
            line = "'insider' " if lock else "a client "
            wait_for(lambda: line in caplog.text and ": disconnected" in caplog.text, "a warning")
            with Subscription(remote_address(config), ["emotion"], laptop) as other:
                sent = publisher.publish("emotion", emotion())
                assert next_received(other, "emotion").message == sent
            if insider:
                with (
                    Subscription(remote_address(config), ["emotion"], insider) as again,
                    pytest.raises(RefusedError),
                ):
                    next_received(again, "emotion", 5.0)


def test_bans_are_kept_until_their_names_are_gone(tmp_path: Path) -> None:
    bans = Bans(tmp_path / "gateway.bans")
    for name in ("first", "second"):
        bans.add(name)
    again = Bans(tmp_path / "gateway.bans")
    assert again.has("first") and again.has("second")
    again.keep(["second"])
    last = Bans(tmp_path / "gateway.bans")
    assert last.has("second") and not last.has("first")


def test_a_ban_outlives_the_gateway_and_ends_with_a_new_key(config: Config) -> None:
    config = with_remote(config)
    file = add_key(config, "insider")
    Bans(config.directory / "gateway.bans").add("insider")
    with with_endpoints(config), Subscription(remote_address(config), ["health."], file) as insider:
        with pytest.raises(RefusedError):
            next_received(insider, "health.gateway", 5.0)
        Keys(config.keys_directory).remove("insider")
        time.sleep(2 * authenticator.KEYS_RELOAD_S)
        file.unlink()
        with Subscription(remote_address(config), ["health."], add_key(config, "insider")) as again:
            next_received(again, "health.gateway")


def test_one_subscriber_does_not_use_up_what_the_others_may_have(secured: Config) -> None:
    greedy, modest = add_key(secured, "greedy"), add_key(secured, "modest")
    most = remote_endpoint.MAX_UNKNOWN_PREFIXES
    prefixes = ["health.", *(f"junk{number}" for number in range(most))]
    with Subscription(remote_address(secured), prefixes, greedy) as first:
        next_received(first, "health.gateway")
        topics = ["health.", *(f"of-a-later-version-{number}" for number in range(5))]
        with Subscription(remote_address(secured), topics, modest) as second:
            next_received(second, "health.gateway")
        next_received(first, "health.gateway")


def test_a_key_cannot_take_its_address_from_others_however_slowly(
    secured: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "MAX_HANDSHAKES", 10_000)
    greedy, modest = add_key(secured, "greedy"), add_key(secured, "modest")
    with contextlib.ExitStack() as crowd:
        for _ in range(remote_endpoint.MAX_CONNECTIONS_OF_KEY + 1):
            one = crowd.enter_context(
                raw_socket(zmq.XSUB, remote_address(secured), read_key(greedy))
            )
            one.send(b"\x01emotion")
        wait_for((secured.directory / "gateway.bans").exists, "a ban")
        with Subscription(remote_address(secured), ["health."], modest) as other:
            next_received(other, "health.gateway")


def test_who_asks_again_and_again_does_not_multiply_what_others_receive(
    with_gateway: Config,
) -> None:
    address = with_gateway.gateway.local
    with publishing(with_gateway) as publisher, listening(address, "emotion") as other:
        sent = publisher.publish("emotion", emotion())
        other.until(lambda _, m: m == sent)
        raw = other.subscriber.socket
        with raw_socket(zmq.XSUB, address) as greedy:
            for _ in range(200):
                greedy.send(b"\x01emotion")
                time.sleep(0.005)
        assert len(parts_within(raw, 0.5)) <= 4


def test_a_handshake_cut_at_any_byte_hurts_nobody(secured: Config) -> None:
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
    hello = b"\x04\xc8\x05HELLO\x01\x00" + bytes(192)
    port = int(secured.gateway.remote.rpartition(":")[2])
    key = add_key(secured, "laptop")
    for length in range(len(greeting + hello) + 1):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall((greeting + hello)[:length])
    with (
        publishing(secured) as publisher,
        Subscription(remote_address(secured), ["emotion"], key) as laptop,
    ):
        sent = publisher.publish("emotion", emotion())
        assert next_received(laptop, "emotion").message == sent


def test_without_keys_there_is_no_remote_endpoint(config: Config) -> None:
    endpoints = GatewayConfig(remote="tcp://*:5556", keys=str(config.directory))
    with (
        pytest.raises(KeysError, match=r"tcp://\*:5556 .* run `emotion-edge keys add NAME`"),
        running(gateway.run, msgspec.structs.replace(config, gateway=endpoints)),
    ):
        pass


def test_an_insecure_endpoint_is_warned_of_at_every_start_and_in_health(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = GatewayConfig(
        local="", remote=f"tcp://0.0.0.0:{free_port()}", insecure=True, announce=False
    )
    config = msgspec.structs.replace(config, gateway=endpoints)
    with with_endpoints(config), listening(remote_address(config)) as listener:
        health = listener.topic("health.gateway")
    assert isinstance(health, HealthMessage)
    assert health.state == "degraded"
    assert "open to everyone (gateway.insecure)" in health.detail
    assert "open to everyone (gateway.insecure)" in caplog.text


def test_an_address_that_comes_later_is_waited_for(
    config: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a start before DHCP has answered. 192.0.2.0/24 is nobody's (RFC 5737)."""
    endpoints = GatewayConfig(
        local="", remote=f"tcp://192.0.2.7:{free_port()}", insecure=True, announce=False
    )
    config = msgspec.structs.replace(config, gateway=endpoints)
    really_bind = sockets.bind

    def bind_as_if_it_had_come(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
        really_bind(socket, endpoint.replace("192.0.2.7", "127.0.0.1"))

    waits = "this device has no such address"
    with with_endpoints(config), listening(config.endpoint("out")) as local:
        local.until(lambda _, m: isinstance(m, HealthMessage) and waits in m.detail)
        monkeypatch.setattr(sockets, "bind", bind_as_if_it_had_come)
        local.until(lambda _, m: isinstance(m, HealthMessage) and waits not in m.detail)
        with listening(config.gateway.remote.replace("192.0.2.7", "127.0.0.1")) as other:
            other.topic("health.gateway")
    assert caplog.text.count(waits) == 1


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:5556", True),
        ("tcp://127.8.0.1:5556", True),
        ("tcp://localhost:5556", True),
        ("tcp://[::1]:5556", True),
        ("ipc:///run/emotion-edge/other", True),
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


def test_secrets_are_closed_to_other_users(secured: Config) -> None:
    file = add_key(secured, "laptop")
    for path in (secured.keys_directory / "device.key", file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(secured.directory.stat().st_mode) & 0o007 == 0


@pytest.mark.root
def test_keys_that_root_adds_belong_to_the_folders_owner(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    os.chown(tmp_path, 1234, 1234)
    keys.add("laptop", "kitchen")
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {1234}
