"""`python -m tests.support.attacks NAME ARGUMENTS`: what hostile clients do, each in its process.

An endpoint is tcp://ADDRESS:PORT; a key is a subscriber's file, or "" for none.
"""

import contextlib
import os
import random
import resource
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from edge.bus.keys import SubscriberKey, read_key

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
PLAIN_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB\x00\x04face{}"
MAX_OPEN = 800


def begin() -> None:
    """Other hosts take no time from the processors of this one."""
    os.nice(10)
    print("begins", flush=True)


def client(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, endpoint: str, key: SubscriberKey | None
) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = 100_000
    if key is not None:
        socket.curve_serverkey = key.server.encode()
        socket.curve_publickey = key.public.encode()
        socket.curve_secretkey = key.secret.encode()
    if kind == zmq.SUB:
        socket.subscribe(b"face")
    socket.connect(endpoint)
    return socket


def clients(endpoint: str, key: str, count: int, kind: int) -> list["zmq.Socket[bytes]"]:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, count + 10)
    secret = read_key(Path(key)) if key else None
    return [client(context, kind, endpoint, secret) for _ in range(count)]


def greedy(endpoint: str, key: str, count: str, size: str) -> None:
    """Different subscriptions of `size` bytes, through `count` connections, without an end."""
    sockets = clients(endpoint, key, int(count), zmq.XSUB)
    begin()
    while True:
        for one in sockets:
            with contextlib.suppress(zmq.Again):
                for _ in range(20):
                    one.send(b"\x01" + os.urandom(int(size)), zmq.NOBLOCK)


def crowd(endpoint: str, key: str, count: str) -> None:
    """Many connections that subscribe, and do not read."""
    kept = clients(endpoint, key, int(count), zmq.SUB)
    begin()
    while kept:
        time.sleep(1)


def flood(endpoint: str, key: str, what: str) -> None:
    """Requests, or messages that are none, as fast as they are taken."""
    requests = {
        "all": (b"\x01",),
        "toggle": (b"\x01", b"\x00"),
        "same": (b"\x01health.",),
        "short": (),
        "messages": (b"\x02" + b"x" * 500,),
    }[what]
    (one,) = clients(endpoint, key, 1, zmq.XSUB)
    one.rcvhwm = 10
    begin()
    while True:
        try:
            for request in requests or (b"\x01" + os.urandom(4),):
                one.send(request, zmq.NOBLOCK)
        except zmq.Again:
            time.sleep(0.0005)


def odd_lines(chance: random.Random) -> Iterator[tuple[bytes, bool]]:
    """(what is sent, whether the connection stays open): noise, cut and false handshakes, HTTP."""
    while True:
        yield from [
            (chance.randbytes(chance.randrange(1, 5000)), False),
            (GREETING[: chance.randrange(64)], True),
            (GREETING + b"\x06" + struct.pack(">Q", 2**63 - 1) + chance.randbytes(200), False),
            (GREETING + b"\x04\xc8\x05HELLO" + chance.randbytes(194), False),
            (PLAIN_GREETING + READY, False),
            (GREETING + b"\x02" + struct.pack(">Q", 2**32 - 1) + b"x" * 1000, True),
            (b"GET / HTTP/1.1\r\n\r\n" * 50, False),
            (b"\x01\x00\x7f" + chance.randbytes(100), False),
        ]


def odd(endpoint: str, count: str) -> None:
    """So many odd connections, one after the other, of which 800 stay open."""
    kept: list[socket.socket] = []
    lines = odd_lines(random.Random(5))
    begin()
    for _, (text, stays) in zip(range(int(count)), lines, strict=False):
        with contextlib.suppress(OSError):
            line = socket.create_connection(address_of(endpoint), 0.5)
            line.sendall(text)
            kept.append(line)
            if not stays:
                kept.pop().close()
        if len(kept) > MAX_OPEN:
            kept.pop(0).close()


def unknown(endpoint: str, key: str, count: str) -> None:
    """Whole handshakes with keys that the device does not know."""
    server = read_key(Path(key)).server
    context = zmq.Context()
    begin()
    kept = []
    for _ in range(int(count)):
        public, secret = (part.decode() for part in zmq.curve_keypair())
        forged = SubscriberKey("mallory", "test", server, public, secret)
        kept.append(client(context, zmq.SUB, endpoint, forged))
    time.sleep(3)


def half_open(endpoint: str, count: str) -> None:
    """Connections whose handshake begins and does not go on, again where they are closed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = []
    begin()
    for _ in range(int(count)):
        with contextlib.suppress(OSError):
            kept.append(socket.create_connection(address_of(endpoint), 2))
            kept[-1].sendall(GREETING[:11])
    print("open", flush=True)
    sys.stdin.read()


def hold(port: str) -> None:
    """Listen on a port until told to end."""
    with socket.create_server(("127.0.0.1", int(port))):
        begin()
        sys.stdin.read()


def address_of(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)


ATTACKS = {
    function.__name__: function
    for function in (greedy, crowd, flood, odd, unknown, half_open, hold)
}

if __name__ == "__main__":
    ATTACKS[sys.argv[1]](*sys.argv[2:])
