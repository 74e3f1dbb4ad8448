"""Remote endpoints with keys, and clients with and without one."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import zmq

from edge.bus import sockets
from edge.bus.keys import Keys, SubscriberKey
from edge.bus.messages import Emotion
from edge.client import Received, Subscription
from edge.config import Config, GatewayConfig
from tests.support.harness import PATIENCE_S, free_port

NOTHING_S = 1.5
"""A subscriber that may pass has its first message after some milliseconds."""


def emotion(label: str = "happy") -> Emotion:
    return Emotion(
        t_ns=time.monotonic_ns(), time=time.time(), emotion=label, confidence=0.9, scores={}
    )


def with_remote(config: Config) -> Config:
    """The same with a remote endpoint, and keys for it."""
    endpoints = GatewayConfig(
        local="",
        remote=f"tcp://0.0.0.0:{free_port()}",
        keys=str(config.directory / "keys"),
        announce=False,
    )
    config = msgspec.structs.replace(config, gateway=endpoints)
    Keys(config.keys_directory).make()
    return config


def remote_address(config: Config) -> str:
    """The remote endpoint's address, as a subscriber writes it."""
    address = config.gateway.remote or config.gateway.local
    return address.replace("0.0.0.0", "127.0.0.1")


def add_key(config: Config, name: str) -> Path:
    """A new subscriber's file."""
    keys, file = Keys(config.keys_directory), config.directory / f"{name}.key"
    keys.export(keys.add(name, config.device_name), file)
    return file


def forged_key(config: Config, **changes: str) -> Path:
    """A subscriber's file that this device never made, but for its address."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    key = SubscriberKey("mallory", "test", Keys(config.keys_directory).public(), public, secret)
    file = config.directory / "mallory.key"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(key, **changes)))
    return file


def next_received(device: Subscription, topic: str, timeout_s: float = PATIENCE_S) -> Received:
    """The next message on a topic. Raises TimeoutError."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        for received in device.wait(0.05):
            if received.topic == topic:
                return received
    raise TimeoutError(f"no {topic} in {timeout_s} s")


def parts_within(socket: "zmq.Socket[bytes]", timeout_s: float) -> list[list[bytes]]:
    """Everything that a plain socket receives in that time."""
    deadline_s, received = time.monotonic() + timeout_s, []
    while (left_s := deadline_s - time.monotonic()) > 0:
        if socket.poll(int(left_s * 1e3) + 1):
            received.append(socket.recv_multipart())
    return received


@contextlib.contextmanager
def raw_socket(
    kind: int, endpoint: str, key: SubscriberKey | None = None
) -> Iterator["zmq.Socket"]:
    """A socket as any program makes it; CURVE with `key`."""
    socket = sockets.make_socket(kind)
    if key is not None:
        socket.curve_serverkey = key.server.encode()
        socket.curve_publickey = key.public.encode()
        socket.curve_secretkey = key.secret.encode()
    if kind == zmq.SUB:
        socket.subscribe(b"")
    socket.connect(endpoint)
    try:
        yield socket
    finally:
        socket.close()
