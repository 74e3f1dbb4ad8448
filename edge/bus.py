"""Publish and subscribe: sockets, their options, encode and decode.

Messages go through the hub as two parts, [topic, JSON]. Nothing queues up: of a state, a slow
reader gets the newest. Frames have a room of their own (edge/frames.py).
"""

import errno
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import zmq

from edge import messages
from edge.config import SYSTEM_DIRECTORY
from edge.messages import TOPICS, BadMessageError, Message

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

RECONNECT_MS = 50
RECONNECT_MAX_MS = 1000
CONNECT_TIMEOUT_S = 2.0
IPC = "ipc://"
LONGEST_PATH = 107
"""bytes; sun_path of unix(7)"""
LAST_PORT = 65535
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
LATE_MS = 1000.0
NOT_HERE = (zmq.EADDRNOTAVAIL, errno.ENODEV)
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"
"""First byte of what an XPUB receives (ZMTP 3.1)."""
REQUESTS_A_TURN = 100
LONGEST_MESSAGE = 256 * 1024
"""bytes; the contract's messages are a hundred times smaller."""


class BusError(OSError):
    """An endpoint that cannot be used. The message is one line: what, and the mend."""


class NotHereError(BusError):
    """An address or interface that this host does not have, or not yet: the network is not up."""


def age_ms(t_ns: int) -> float:
    """Milliseconds since `t_ns` of CLOCK_MONOTONIC, never negative."""
    return round(max(0.0, (time.monotonic_ns() - t_ns) / 1e6), 3)


def make_socket(
    kind: int, context: "zmq.Context[zmq.Socket[bytes]] | None" = None
) -> "zmq.Socket[bytes]":
    """A socket, which drops what it holds when it is closed. `context`: None = the process's."""
    socket: zmq.Socket[bytes] = (context or zmq.Context.instance()).socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, -1 if kind == zmq.SUB else LONGEST_MESSAGE)
    return socket


def bind(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """Bind, or raise BusError (NotHereError) with a line that says why not."""
    check_address(endpoint)
    if endpoint.startswith(IPC):
        make_directory(Path(endpoint[len(IPC) :]).parent)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        kind = NotHereError if error.errno in NOT_HERE else BusError
        raise kind(f"cannot listen on {endpoint}: {_why_not(error)}") from error


def make_directory(directory: Path) -> None:
    """The local sockets' folder, closed to other users. Raises BusError."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BusError(f"cannot make {directory}: {reason}; set bus.directory") from error
    # Root alone makes folders in /run: that one is the service's, whoever we are.
    known = status.st_uid in (os.geteuid(), 0) or directory == SYSTEM_DIRECTORY
    if not (stat.S_ISDIR(status.st_mode) and known) or status.st_mode & WRITABLE_BY_OTHERS:
        raise BusError(f"{directory}: another user can write there; set bus.directory")


def check_address(endpoint: str) -> None:
    """Raise BusError for what ZeroMQ would misunderstand or not explain."""
    if endpoint.startswith(IPC) and len(os.fsencode(endpoint)) - len(IPC) > LONGEST_PATH:
        raise BusError(
            f"{endpoint}: a local socket's path has at most {LONGEST_PATH} bytes; set bus.directory"
        )
    port = endpoint.rpartition(":")[2]
    if endpoint.startswith("tcp://") and port.isdecimal() and int(port) > LAST_PORT:
        raise BusError(f"{endpoint}: the last port is {LAST_PORT}; set bus.bind")


def connect(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """Connect, or raise BusError with a line that says why not."""
    check_address(endpoint)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise BusError(f"cannot connect to {endpoint}: {_why_not(error)}") from error


def _why_not(error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return "it is in use; stop the other program or set bus.bind"
    if error.errno in NOT_HERE:
        return "this device has no such address or interface; bring it up or set bus.bind"
    if error.errno in (zmq.EINVAL, zmq.EPROTONOSUPPORT):
        return "no such kind of address; write tcp://HOST:PORT or ipc://PATH"
    return f"{zmq.strerror(error.errno or 0)}"


def is_late(message: Message) -> bool:
    """Whether it was on its way for long, as when somebody on the way stood still.

    For messages of this host: `t_ns` plus `age_ms` is when it was sent.
    """
    return age_ms(message.t_ns) - message.age_ms > LATE_MS


def is_old_event(topic: str, message: Message) -> bool:
    """An event that was held up is no news: a press must not start a recording much later."""
    return TOPICS[topic].event and is_late(message)


class Request(NamedTuple):
    """What a subscriber asks for, or takes back."""

    subscribes: bool
    prefix: bytes
    name: str
    """Of the subscriber's key; "" without one."""


def requests(outlet: "zmq.Socket[bytes]") -> Iterator[Request]:
    """Those that wait at an XPUB, some a turn: nobody keeps us busy. All else ends here."""
    for _ in range(REQUESTS_A_TURN):
        try:
            part = outlet.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        if part.bytes[:1] in (SUBSCRIBE, UNSUBSCRIBE):
            yield Request(part.bytes[:1] == SUBSCRIBE, part.bytes[1:], _name_of(part))


def _name_of(part: zmq.Frame) -> str:
    """What the authenticator called the sender."""
    try:
        return str(part.get("User-Id"))
    except zmq.ZMQError:
        return ""


class Publisher:
    """Sends messages to the hub. One a process: it counts `seq`."""

    def __init__(self, endpoint: str, device: str) -> None:
        """`endpoint`: the hub's inlet. `device`: the name in every message."""
        self.socket = make_socket(zmq.PUB)
        connect(self.socket, endpoint)
        self._device = device
        self._seq = 0

    def publish(self, topic: str, message: Message) -> Message:
        """Stamp and send; returns what was sent. Never blocks; without a hub it is dropped."""
        stamped = msgspec.structs.replace(
            message, device=self._device, seq=self._seq, age_ms=age_ms(message.t_ns)
        )
        self._seq += 1
        self.socket.send_multipart([topic.encode(), messages.encode(stamped)])
        return stamped

    def close(self) -> None:
        self.socket.close()


def send_once(endpoint: str, device: str, topic: str, message: Message) -> None:
    """Connect, wait until the hub listens, send one message, leave. Raises BusError."""
    socket = make_socket(zmq.XPUB)
    try:
        connect(socket, endpoint)
        if not socket.poll(int(CONNECT_TIMEOUT_S * 1e3)):
            raise BusError(f"nothing answers at {endpoint}; is `emotion-edge run` running?")
        stamped = msgspec.structs.replace(message, device=device)
        socket.send_multipart([topic.encode(), messages.encode(stamped)])
    finally:
        socket.close(linger=int(CONNECT_TIMEOUT_S * 1e3))


class Subscriber:
    """Receives messages from the hub."""

    def __init__(
        self, endpoint: str, topics: Iterable[str], socket: "zmq.Socket[bytes] | None" = None
    ) -> None:
        """`topics`: prefixes; "" is everything. `socket`: a SUB with options of its own."""
        self.socket = socket or make_socket(zmq.SUB)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        connect(self.socket, endpoint)
        self.bad = 0
        """How many messages could not be read."""
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def receive(self) -> list[tuple[str, Message]]:
        """All that waits: every event, and a device's newest of each state. Never blocks."""
        events, states = [], {}
        for topic, message in self.receive_all():
            if TOPICS[topic].event:
                events.append((topic, message))
            else:
                states[message.device, topic] = message
        return [*events, *((topic, message) for (_, topic), message in states.items())]

    def receive_all(self) -> Iterator[tuple[str, Message]]:
        """All that waits, in order, but for repeated last values. Never blocks."""
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                topic, message = unpack(parts)
            except BadMessageError as error:
                self._complain(error)
                continue
            if not self._is_replay(topic, message) and not is_old_event(topic, message):
                yield topic, message

    def _is_replay(self, topic: str, message: Message) -> bool:
        """The hub repeats last values when anyone subscribes; only the first one is news."""
        source, key = (message.device, topic), (message.seq, message.t_ns)
        replay = self._seen.get(source) == key and not TOPICS[topic].event
        self._seen[source] = key
        return replay

    def _complain(self, error: BadMessageError) -> None:
        if not self.bad:
            log.warning("ignored a message that is not ours: %s (more are only counted)", error)
        self.bad += 1

    def close(self) -> None:
        self.socket.close()


def unpack(parts: list[bytes]) -> tuple[str, Message]:
    """[topic, JSON] to the topic's name and its message. Raises BadMessageError."""
    if len(parts) != 2:
        raise BadMessageError(f"{len(parts)} parts instead of [topic, JSON]")
    if parts[0].decode("utf-8", "replace") not in TOPICS:
        raise BadMessageError(f"unknown topic {parts[0][:40]!r}")
    topic = parts[0].decode()
    return topic, messages.decode(topic, parts[1])
