"""One client with a key, or a local program, that means harm: the bus and the others go on."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus.keys import read_key
from edge.bus.messages import HealthMessage
from edge.bus.remote import MAX_UNKNOWN_PREFIXES
from edge.client import RefusedError, Subscription
from edge.config import Config, GatewayConfig
from tests.conftest import Measured
from tests.support.harness import emotion_edge, free_port, listening, wait_for
from tests.support.load import Gaps, Load, PeakMemory, Probe, attack, drain, hub_and_gateway
from tests.support.remote import add_key, next_received, raw_socket, remote_address, with_remote
from tests.support.sizes import (
    ATTACK_S,
    CROWD,
    FLOODERS,
    GREEDY,
    HALF_OPEN,
    LONGEST_S,
    ODD_CONNECTIONS,
    UNKNOWN_KEYS,
)

pytestmark = pytest.mark.timeout(LONGEST_S)
GAP_MS, MEMORY_MB = 100, 30
KEYS = pytest.mark.parametrize("key", ["key", "no key"])


def endpoints(config: Config, key: str) -> Config:
    """A remote endpoint with keys, or the plain local one."""
    return with_remote(config) if key == "key" else config


def key_of(config: Config, name: str, key: str) -> str:
    return str(add_key(config, name)) if key == "key" else ""


@contextlib.contextmanager
def innocent(config: Config, file: str) -> Iterator[Gaps]:
    """A subscriber of `face` that notes what it misses; read on leaving."""
    key, gaps = read_key(Path(file)) if file else None, Gaps()
    with raw_socket(zmq.SUB, remote_address(config), key) as socket:
        socket.rcvhwm = 0
        socket.unsubscribe(b"")
        socket.subscribe(b"face")
        assert socket.poll(5000)
        drain(socket, gaps)
        yield gaps
        drain(socket, gaps)


def is_refused(config: Config, file: str) -> bool:
    """Whether a key is not accepted."""
    try:
        with Subscription(remote_address(config), ["health."], file) as again:
            next_received(again, "health.gateway", 5.0)
    except RefusedError:
        return True
    return False


def assert_no_gap(measured: Measured, what: str, probe: Probe) -> None:
    """Beyond those of the machine, on which others may be at work."""
    gap_ms, idle_ms = probe.longest_gap_ms, probe.idle_gap_ms
    measured(f"{what}: longest gap of the local bus", gap_ms, None, "ms")
    measured(f"{what}: longest gap of an idle process meanwhile", idle_ms, None, "ms")
    measured(f"{what}: gap of the bus beyond that", max(0.0, gap_ms - idle_ms), GAP_MS, "ms")


def assert_bus_went_on(measured: Measured, what: str, probe: Probe, memory: PeakMemory) -> None:
    assert_no_gap(measured, what, probe)
    measured(f"{what}: gateway's memory, more", memory.more_mb, MEMORY_MB, "MB")


@KEYS
@pytest.mark.parametrize("connections", GREEDY)
@pytest.mark.parametrize("size", [60, 440, 900])
def test_subscriptions_without_an_end_hurt_their_sender_alone(
    config: Config, measured: Measured, key: str, connections: int, size: int
) -> None:
    config = endpoints(config, key)
    greedy, other = key_of(config, "greedy", key), key_of(config, "laptop", key)
    with (
        hub_and_gateway(config) as (_, gateway),
        Load(config),
        innocent(config, other) as gaps,
        Probe(config) as probe,
    ):
        with (
            PeakMemory(gateway) as memory,
            attack("greedy", remote_address(config), greedy, connections, size),
        ):
            time.sleep(ATTACK_S)
        if key == "key" and size == 440:
            assert is_refused(config, greedy)
    what = f"{connections} connections of subscriptions of {size} bytes, {key}"
    assert_bus_went_on(measured, what, probe, memory)
    measured(f"{what}: missed by another subscriber", gaps.missed, 0, "messages")
    assert gaps.received > 20 * ATTACK_S


def test_a_banned_key_stays_out_when_the_gateway_was_killed(config: Config) -> None:
    config = with_remote(config)
    greedy = str(add_key(config, "greedy"))
    with hub_and_gateway(config) as (_, gateway):
        with attack("greedy", remote_address(config), greedy, 5, 440):
            wait_for((config.directory / "gateway.bans").exists, "a ban")
        os.kill(gateway, signal.SIGKILL)
        file = config.directory / "config.json"
        with emotion_edge("gateway", "--config", file) as process:
            assert is_refused(config, greedy)
            process.terminate()


@KEYS
def test_who_takes_the_whole_allowance_takes_it_from_nobody(
    config: Config, measured: Measured, key: str
) -> None:
    config = endpoints(config, key)
    greedy, other = key_of(config, "greedy", key), key_of(config, "laptop", key)
    with hub_and_gateway(config), Load(config), innocent(config, other) as gaps:
        secret = read_key(Path(greedy)) if greedy else None
        with raw_socket(zmq.SUB, remote_address(config), secret) as full:
            for number in range(MAX_UNKNOWN_PREFIXES):
                full.subscribe(f"junk{number}")
            assert full.poll(5000)
            topics = ["health.", "of-a-later-version"]
            with Subscription(remote_address(config), topics, other or None) as late:
                next_received(late, "health.gateway")
                next_received(late, "health.gateway")
            time.sleep(ATTACK_S)
    what = f"{MAX_UNKNOWN_PREFIXES} subscriptions of another, {key}: missed"
    measured(what, gaps.missed, 0, "messages")


@KEYS
def test_a_crowd_of_connections_is_cut_to_a_few(
    config: Config, measured: Measured, key: str
) -> None:
    config = endpoints(config, key)
    many, other = key_of(config, "many", key), key_of(config, "laptop", key)
    with (
        hub_and_gateway(config) as (_, gateway),
        Load(config),
        innocent(config, other) as gaps,
        Probe(config) as probe,
    ):
        with PeakMemory(gateway) as memory, attack("crowd", remote_address(config), many, CROWD):
            time.sleep(ATTACK_S)
            if key == "key":
                wait_for((config.directory / "gateway.bans").exists, "a ban", 60.0)
        if key == "key":
            assert is_refused(config, many)
    what = f"{CROWD} connections that subscribe, {key}"
    assert_bus_went_on(measured, what, probe, memory)
    measured(f"{what}: missed by another subscriber", gaps.missed, 0, "messages")


@KEYS
@pytest.mark.parametrize("what", ["all", "toggle", "same", "short", "messages"])
def test_a_flood_of_requests_is_not_noticed_by_the_others(
    config: Config, measured: Measured, key: str, what: str
) -> None:
    config = endpoints(config, key)
    flooder, other = key_of(config, "flooder", key), key_of(config, "laptop", key)
    secret = read_key(Path(other)) if other else None
    with (
        hub_and_gateway(config) as (_, gateway),
        Load(config) as load,
        contextlib.ExitStack() as attackers,
        raw_socket(zmq.SUB, remote_address(config), secret) as listener,
    ):
        listener.unsubscribe(b"")
        listener.subscribe(b"face")
        with Probe(config) as probe, PeakMemory(gateway) as memory:
            for _ in range(FLOODERS):
                attackers.enter_context(attack("flood", remote_address(config), flooder, what))
            while listener.poll(0):  # what came while the attackers began
                listener.recv_multipart()
            received, sent, end_s = 0, load.sent, time.monotonic() + ATTACK_S
            while time.monotonic() < end_s:
                if listener.poll(100):
                    listener.recv_multipart()
                    received += 1
            sent = load.sent - sent
    about = f"{FLOODERS} floods ({what}, {key})"
    assert_bus_went_on(measured, about, probe, memory)
    measured(f"{about}: received by another, of each message sent", received / sent, 1.5, "")


def test_odd_connections_are_not_noticed(config: Config, measured: Measured) -> None:
    config = with_remote(config)
    other = str(add_key(config, "laptop"))
    with (
        hub_and_gateway(config) as (_, gateway),
        Load(config),
        innocent(config, other) as gaps,
        Probe(config) as probe,
    ):
        with (
            PeakMemory(gateway) as memory,
            attack("odd", remote_address(config), ODD_CONNECTIONS) as odd,
            attack("unknown", remote_address(config), other, UNKNOWN_KEYS) as unknown,
        ):
            unknown.wait()
            odd.wait()
        lines = (config.directory / "log").read_text().count("authentication failed")
    what = f"{ODD_CONNECTIONS} odd connections and {UNKNOWN_KEYS} unknown keys"
    assert_bus_went_on(measured, what, probe, memory)
    measured(f"{what}: missed by a subscriber", gaps.missed, 0, "messages")
    measured(f"{what}: lines in the log", lines, 3, "")


def test_half_open_connections_and_a_ban_among_them_are_not_noticed(
    config: Config, measured: Measured
) -> None:
    config = with_remote(config)
    greedy = str(add_key(config, "greedy"))
    with (
        hub_and_gateway(config) as (_, gateway),
        Probe(config) as probe,
        PeakMemory(gateway) as memory,
        attack("half_open", remote_address(config), HALF_OPEN) as half_open,
    ):
        assert half_open.stdout is not None
        assert half_open.stdout.readline() == "open\n"
        with attack("greedy", remote_address(config), greedy, 5, 440):
            wait_for((config.directory / "gateway.bans").exists, "a ban")
    what = f"{HALF_OPEN} half-open connections, then a ban"
    assert_bus_went_on(measured, what, probe, memory)


@pytest.mark.parametrize("where", ["before the start", "while it was dead"])
def test_a_port_that_a_local_program_has_taken_stops_nothing_else(
    config: Config, measured: Measured, where: str
) -> None:
    port = free_port()
    config = msgspec.structs.replace(config, gateway=GatewayConfig(local=f"tcp://127.0.0.1:{port}"))
    with contextlib.ExitStack() as stack:
        if where == "before the start":
            holder = stack.enter_context(attack("hold", port))
            stack.enter_context(hub_and_gateway(config))
        else:
            _, gateway = stack.enter_context(hub_and_gateway(config))
            os.kill(gateway, signal.SIGKILL)
            holder = stack.enter_context(attack("hold", port))
            file = config.directory / "config.json"
            again = stack.enter_context(emotion_edge("gateway", "--config", file))
            stack.callback(again.terminate)
        with Probe(config) as probe:
            listener = stack.enter_context(listening(config.endpoint("out"), "health.gateway"))
            listener.until(lambda _, m: isinstance(m, HealthMessage) and "in use" in m.detail)
            time.sleep(ATTACK_S)
        assert_no_gap(measured, f"port taken {where}", probe)
        holder.kill()
        holder.wait()
        left_s = time.monotonic()
        with listening(config.gateway.local) as other:
            other.topic("health.gateway")
        measured(f"port taken {where}: open after it was left", time.monotonic() - left_s, 5, "s")
