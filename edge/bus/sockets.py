"""ZeroMQ sockets: made, bound and connected, with errors that say why not; and who subscribes."""

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import zmq

from edge.paths import make_directory

RECONNECT_MS = 50
RECONNECT_MAX_MS = 1000
CONNECT_TIMEOUT_S = 2.0
IPC = "ipc://"
MAX_PATH_BYTES = 107
"""bytes; sun_path of unix(7)"""
LAST_PORT = 65535
SET_ADDRESS = "set gateway.local or gateway.remote"
UNAVAILABLE = (zmq.EADDRINUSE, zmq.EADDRNOTAVAIL, errno.ENODEV)
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"
"""First byte of what an XPUB receives (ZMTP 3.1)."""
MAX_REQUESTS_PER_POLL = 100
MAX_MESSAGE_BYTES = 256 * 1024
"""bytes; the contract's messages are a hundred times smaller."""
MAX_RECEIVED_BYTES = 1024 * 1024
"""libzmq closes the connection of who sends more, and does not connect again by itself."""


class BusError(OSError):
    """An endpoint that cannot be used. The message is one line: what, and the fix."""


class AddressUnavailableError(BusError):
    """An address that is in use, or that this host does not have, or not yet: try again later."""


def make_socket(
    kind: int, context: "zmq.Context[zmq.Socket[bytes]] | None" = None
) -> "zmq.Socket[bytes]":
    """A socket, which drops what it holds when it is closed. `context`: None = the process's."""
    socket: zmq.Socket[bytes] = (context or zmq.Context.instance()).socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_RECEIVED_BYTES if kind == zmq.SUB else MAX_MESSAGE_BYTES)
    return socket


def bind(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """Bind, or raise BusError (AddressUnavailableError) with a line that says why not."""
    check_address(endpoint)
    if endpoint.startswith(IPC):
        make_directory(Path(endpoint[len(IPC) :]).parent)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        kind = AddressUnavailableError if error.errno in UNAVAILABLE else BusError
        raise kind(f"cannot listen on {endpoint}: {_why_not(error)}") from error


def check_address(endpoint: str) -> None:
    """Raise BusError for what ZeroMQ would misunderstand or not explain."""
    if endpoint.startswith(IPC) and len(os.fsencode(endpoint)) - len(IPC) > MAX_PATH_BYTES:
        raise BusError(
            f"{endpoint}: a local socket's path has at most {MAX_PATH_BYTES} bytes; "
            "set bus.directory"
        )
    port = endpoint.rpartition(":")[2]
    if endpoint.startswith("tcp://") and port.isdecimal() and int(port) > LAST_PORT:
        raise BusError(f"{endpoint}: the last port is {LAST_PORT}; {SET_ADDRESS}")


def connect(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """Connect, or raise BusError with a line that says why not."""
    check_address(endpoint)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise BusError(f"cannot connect to {endpoint}: {_why_not(error)}") from error


def _why_not(error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return f"it is in use; stop the other program, or {SET_ADDRESS}"
    if error.errno in UNAVAILABLE:
        return f"this device has no such address or interface; bring it up, or {SET_ADDRESS}"
    if error.errno in (zmq.EINVAL, zmq.EPROTONOSUPPORT):
        return "no such kind of address; write tcp://HOST:PORT or ipc://PATH"
    return f"{zmq.strerror(error.errno or 0)}"


class SubscriptionRequest(NamedTuple):
    """What a subscriber asks for, or takes back."""

    subscribes: bool
    prefix: bytes
    key: str
    """The subscriber's public one, as it authenticated; "" without."""
    descriptor: int
    """Of its connection; -1 where that is gone."""


def requests(outlet: "zmq.Socket[bytes]") -> Iterator[SubscriptionRequest]:
    """Those that wait at an XPUB, some a turn: nobody keeps us busy. All else ends here."""
    for _ in range(MAX_REQUESTS_PER_POLL):
        try:
            part = outlet.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        if part.bytes[:1] in (SUBSCRIBE, UNSUBSCRIBE):
            yield SubscriptionRequest(
                part.bytes[:1] == SUBSCRIBE, part.bytes[1:], *_sender_of(part)
            )


def new_prefixes(requests: Iterable[SubscriptionRequest]) -> set[bytes]:
    """What is subscribed to, without what is taken back."""
    return {request.prefix for request in requests if request.subscribes}


def _sender_of(part: zmq.Frame) -> tuple[str, int]:
    """(what the authenticator called the sender, the descriptor of its connection)"""
    try:
        descriptor = int(part.get(zmq.SRCFD))
    except zmq.ZMQError:
        return "", -1
    try:
        return str(part.get("User-Id")), descriptor
    except zmq.ZMQError:
        return "", descriptor
