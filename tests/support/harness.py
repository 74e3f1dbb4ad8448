"""Running services and waiting for messages, with deadlines instead of sleeps."""

import contextlib
import functools
import itertools
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus.messages import Message
from edge.bus.pubsub import Publisher, Subscriber
from edge.bus.sockets import connect, make_socket
from edge.config import Config
from edge.runtime.loop import Loop
from edge.services import gateway, hub

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("EMOTION_EDGE_DATA", ROOT / "training" / "data"))
PATIENCE_S = 45.0
PORTS = range(20_000, 32_000)
"""Below those that the kernel itself gives to connections (ip_local_port_range)."""
PORTS_A_PROCESS = 100


@functools.cache
def _own_ports() -> tuple[socket.socket, Iterator[int]]:
    """Ports that no other test process uses: each holds an abstract socket, which names its first
    one, until it ends (unix(7))."""
    lock = socket.socket(socket.AF_UNIX)
    for first in PORTS[::PORTS_A_PROCESS]:
        with contextlib.suppress(OSError):
            lock.bind(f"\0emotion-edge-tests-{first}")
            return lock, itertools.cycle(range(first, first + PORTS_A_PROCESS))
    raise RuntimeError(f"all ports of {PORTS} are taken")


def free_port() -> int:
    """A TCP port on which nobody listens, for this process alone."""
    for port in _own_ports()[1]:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
            return port
    raise AssertionError("the ports go round and round")


@contextlib.contextmanager
def running(run: Callable[[Config, Loop], None], config: Config) -> Iterator[Loop]:
    """A service's own `run` on a thread of this process; what it raises fails the test.

    The gateway limits the descriptors of its process, which is this one here.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = Loop()
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            run(config, loop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, descriptors)
        if errors:
            raise errors[0]
    assert not thread.is_alive(), "the service did not stop"


@contextlib.contextmanager
def with_endpoints(config: Config) -> Iterator[None]:
    """A hub, and a gateway that passes on what it publishes."""
    with running(hub.run, config), running(gateway.run, config):
        with listening(config.endpoint("out"), "health.gateway") as listener:
            listener.topic("health.gateway")
        yield


class Listener:
    """A subscriber that waits for what a test is about."""

    def __init__(self, endpoint: str, *topics: str) -> None:
        self.subscriber = Subscriber(endpoint, topics or ("",))
        self.received: list[tuple[str, Message]] = []

    def until(
        self, wanted: Callable[[str, Message], bool], timeout_s: float = PATIENCE_S
    ) -> Message:
        """The first message that is wanted; fails after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            self.subscriber.socket.poll(50)
            received = self.subscriber.receive()
            self.received += received
            for topic, message in received:
                if wanted(topic, message):
                    return message
        pytest.fail(
            f"not received in {timeout_s} s; received {sorted({t for t, _ in self.received})}"
        )

    def topic(self, name: str, timeout_s: float = PATIENCE_S) -> Message:
        """The next message on a topic."""
        return self.until(lambda topic, _: topic == name, timeout_s)

    def close(self) -> None:
        self.subscriber.close()


@contextlib.contextmanager
def listening(endpoint: str, *topics: str) -> Iterator[Listener]:
    listener = Listener(endpoint, *topics)
    try:
        yield listener
    finally:
        listener.close()


class ReadyPublisher(Publisher):
    """A publisher that the hub listens to already: an XPUB socket is told who subscribes."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.endpoint("in"), config.device_name)
        self.socket.close()
        self.socket = make_socket(zmq.XPUB)
        connect(self.socket, config.endpoint("in"))
        assert self.socket.poll(int(PATIENCE_S * 1e3)), "no hub"


@contextlib.contextmanager
def publishing(config: Config) -> Iterator[Publisher]:
    publisher = ReadyPublisher(config)
    try:
        yield publisher
    finally:
        publisher.close()


def write_config(config: Config, path: Path) -> Path:
    """The settings as a file that every process can read."""
    path.write_bytes(msgspec.json.encode(config))
    return path


def emotion_edge(*arguments: str | Path, **options: object) -> "subprocess.Popen[str]":
    """The command itself, as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        text=True,
        cwd=ROOT,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore
    )


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Look again and again until it is so."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not so after {timeout_s} s: {what}"
        time.sleep(0.02)
