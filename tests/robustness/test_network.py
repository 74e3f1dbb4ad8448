"""Unknown clients and stopped subscribers: the local bus does not notice them.

The sizes are in tests/support/sizes.py; EMOTION_EDGE_FULL=1 takes the full ones.
"""

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from benchmarks.measure import pss_mb
from edge.bus.keys import read_key
from edge.bus.pubsub import Subscriber
from edge.client import Subscription
from edge.config import Config
from tests.conftest import Measured
from tests.support.harness import ROOT
from tests.support.load import Gaps, Load, drain, gateway_process, local_delay_ms, settled_pss_mb
from tests.support.remote import (
    add_key,
    forged_key,
    next_received,
    raw_socket,
    remote_address,
    with_remote,
)
from tests.support.sizes import (
    CONNECTIONS,
    LONGEST_S,
    NOISE_S,
    RESTARTS,
    STOPPED_S,
    SUBSCRIBERS_A_PROCESS,
)

pytestmark = pytest.mark.timeout(LONGEST_S)
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
HELLO = b"\x04\xc8\x05HELLO\x01\x00" + bytes(192)
LIVE, PROCESSES = 5, 5
FEW_DESCRIPTORS = 200
DELAY_S = 5.0
FORGET_S = 20.0
"""Handshakes end after 5 s; the memory comes back soon after that."""


@pytest.fixture
def device(config: Config) -> Iterator[tuple[Config, int]]:
    """A gateway's process with a remote endpoint, and its id."""
    config = with_remote(config)
    with gateway_process(config) as pid:
        yield config, pid


def address(config: Config) -> tuple[str, int]:
    return "127.0.0.1", int(config.gateway.remote.rpartition(":")[2])


def noise(chance: random.Random) -> bytes:
    """Random bytes, or a handshake that is cut and mutated."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(2000))
    text = bytearray((GREETING + HELLO)[: chance.randrange(1, len(GREETING + HELLO) + 1)])
    for _ in range(chance.randrange(4)):
        text[chance.randrange(len(text))] = chance.randrange(256)
    return bytes(text) + chance.randbytes(chance.choice((0, 0, 100)))


def throw_noise(config: Config, seed: int, ended: threading.Event) -> None:
    """Some hundred connections a second."""
    chance = random.Random(seed)
    while not ended.wait(0.005):
        with contextlib.suppress(OSError), socket.create_connection(address(config), 1) as line:
            line.sendall(noise(chance))


def try_unknown_keys(config: Config, ended: threading.Event) -> None:
    """Whole handshakes with keys that the device does not know, a dozen a second."""
    while not ended.wait(0.033):
        with raw_socket(zmq.SUB, remote_address(config), read_key(forged_key(config))) as mallory:
            mallory.poll(50)


def test_noise_at_the_remote_endpoint_is_not_noticed_inside(
    device: tuple[Config, int], measured: Measured
) -> None:
    config, pid = device
    key = add_key(config, "laptop")
    with Load(config):
        quiet_ms, before_mb = local_delay_ms(config, DELAY_S), pss_mb(pid)
        ended = threading.Event()
        throwers = [
            threading.Thread(target=throw_noise, args=(config, seed, ended)) for seed in (1, 2)
        ]
        throwers.append(threading.Thread(target=try_unknown_keys, args=(config, ended)))
        for thrower in throwers:
            thrower.start()
        loud_ms = local_delay_ms(config, NOISE_S)
        ended.set()
        for thrower in throwers:
            thrower.join()
        after_mb = settled_pss_mb(pid, before_mb + 5, FORGET_S)
        with Subscription(remote_address(config), ["face"], key) as laptop:
            next_received(laptop, "face")
    measured(f"{NOISE_S} s of noise: memory of the gateway, more", after_mb - before_mb, 10, "MB")
    measured(f"{NOISE_S} s of noise: local delay p95, more", loud_ms - quiet_ms, 5, "ms")


def test_connections_that_are_opened_and_left_are_forgotten(
    device: tuple[Config, int], measured: Measured
) -> None:
    config, pid = device
    key = add_key(config, "laptop")
    before_mb = pss_mb(pid)
    with contextlib.ExitStack() as lines, Load(config):
        quiet_ms = local_delay_ms(config, DELAY_S)
        for _ in range(CONNECTIONS):
            lines.enter_context(socket.create_connection(address(config), 5))
        loud_ms, peak_mb = local_delay_ms(config, DELAY_S), pss_mb(pid)
        with Subscription(remote_address(config), ["face"], key) as laptop:
            next_received(laptop, "face")
        after_mb = settled_pss_mb(pid, before_mb + 5, FORGET_S)
    peak = f"{CONNECTIONS} connections that say nothing: gateway's memory, at the most"
    measured(peak, peak_mb - before_mb, 30, "MB")
    measured(
        f"{CONNECTIONS} connections: memory of the gateway, more", after_mb - before_mb, 10, "MB"
    )
    measured(f"{CONNECTIONS} connections: local delay p95, more", loud_ms - quiet_ms, 5, "ms")


def test_a_gateway_without_descriptors_left_goes_on(device: tuple[Config, int]) -> None:
    config, pid = device
    key = add_key(config, "laptop")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))
    with Load(config) as load:
        listener = Subscriber(config.endpoint("out"), ["face"])
        listener.socket.poll(5000)
        with contextlib.ExitStack() as lines:
            for _ in range(2 * FEW_DESCRIPTORS):
                lines.enter_context(socket.create_connection(address(config), 5))
            sent, end_s = load.sent, time.monotonic() + DELAY_S
            received = 0
            while time.monotonic() < end_s:
                listener.socket.poll(100)
                received += len(list(listener.receive_all()))
            assert received >= 0.8 * (load.sent - sent) > 0
        listener.close()
        with Subscription(remote_address(config), ["face"], key) as laptop:
            next_received(laptop, "face")


SLEEPERS = """
import sys, zmq
from pathlib import Path
from edge.bus.keys import read_key
from tests.support.remote import raw_socket
endpoint, *files = sys.argv[1:]
sockets = []
for file in files:
    holder = raw_socket(zmq.SUB, endpoint, read_key(Path(file)))
    sockets.append((holder, holder.__enter__()))
for _, socket in sockets:
    socket.recv_multipart()
print("all received", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def sleepers(config: Config, keys: list[Path]) -> Iterator["subprocess.Popen[str]"]:
    """A process with a subscriber for each key, all of which have received something."""
    command = [sys.executable, "-c", SLEEPERS, remote_address(config), *map(str, keys)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "all received\n"
        yield process
        process.kill()


def test_subscribers_that_are_stopped_dead_cost_the_live_ones_nothing(
    device: tuple[Config, int], measured: Measured
) -> None:
    config, pid = device
    count = PROCESSES * SUBSCRIBERS_A_PROCESS
    keys = [add_key(config, f"sleeper{number}") for number in range(count)]
    gaps = [Gaps() for _ in range(LIVE)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(Load(config))
        live = [
            stack.enter_context(
                raw_socket(
                    zmq.SUB, remote_address(config), read_key(add_key(config, f"live{number}"))
                )
            )
            for number in range(LIVE)
        ]
        for one in live:
            one.unsubscribe(b"")
            one.subscribe(b"face")
        quiet_ms = local_delay_ms(config, DELAY_S)
        asleep = [stack.enter_context(sleepers(config, keys[i::PROCESSES])) for i in range(5)]
        before_mb = pss_mb(pid)
        for process in asleep:
            os.kill(process.pid, signal.SIGSTOP)
        loud_ms = local_delay_ms(config, DELAY_S)
        peak_mb, end_s = 0.0, time.monotonic() + STOPPED_S
        while time.monotonic() < end_s:
            for one, missed in zip(live, gaps, strict=True):
                one.poll(20)
                drain(one, missed)
            peak_mb = max(peak_mb, pss_mb(pid))
    assert all(one.received > STOPPED_S * 20 for one in gaps)
    what = f"{count} of {count + LIVE} subscribers stopped for {STOPPED_S} s"
    measured(f"{what}: missed by the live ones", sum(one.missed for one in gaps), 0, "messages")
    measured(f"{what}: memory of the gateway, more", peak_mb - before_mb, count * 0.25, "MB")
    measured(f"{what}: local delay p95, more", loud_ms - quiet_ms, 5, "ms")


def test_every_subscriber_is_back_soon_after_a_gateway_that_was_killed(
    config: Config, measured: Measured
) -> None:
    config = with_remote(config)
    key = add_key(config, "laptop")
    slowest_s = {"remote": 0.0, "local": 0.0}
    with contextlib.ExitStack() as stack:
        hub = contextlib.ExitStack()
        pid = hub.enter_context(gateway_process(config))
        stack.enter_context(Load(config))
        subscribers = {
            "remote": stack.enter_context(Subscription(remote_address(config), ["face"], key)),
            "local": stack.enter_context(Subscription(config.endpoint("out"), ["face"])),
        }
        for listener in subscribers.values():
            next_received(listener, "face")
        for _ in range(RESTARTS):
            os.kill(pid, signal.SIGKILL)
            killed_ns, killed_s = time.monotonic_ns(), time.monotonic()
            hub.close()
            pid = hub.enter_context(gateway_process(config))
            for name, listener in subscribers.items():
                while next_received(listener, "face").message.t_ns < killed_ns:
                    pass
                slowest_s[name] = max(slowest_s[name], time.monotonic() - killed_s)
        hub.close()
    for name, slowest in slowest_s.items():
        what = f"gateway killed {RESTARTS} times: {name} subscriber is back after"
        measured(what, slowest, 2.0, "s")
