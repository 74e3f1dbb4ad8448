"""Browsers as the web process sees them, without one: viewers, a slow one, and attackers."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from edge.web.live import PACKET


class Seen(NamedTuple):
    """A packet, when it was complete."""

    at_s: float
    """Unix time"""
    age_s: float | None
    """Of its picture, from the capture; None without one."""
    values: dict[str, Any]


def seen(data: bytes) -> Seen:
    _, length = PACKET.unpack_from(data)
    end = PACKET.size + length
    values = json.loads(data[PACKET.size : end])
    now_s = time.time()
    age_s = now_s - values["picture"]["time"] if len(data) > end else None
    return Seen(now_s, age_s, values)


class Viewers:
    """So many live pages, on a thread."""

    def __init__(self, port: int, count: int) -> None:
        self._address = f"127.0.0.1:{port}"
        self._count = count
        self._stop = threading.Event()
        self.packets: list[Seen] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Viewers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._watch() for _ in range(self._count)))

    async def _watch(self) -> None:
        origin = {"Origin": f"http://{self._address}"}
        live = await websocket_connect(HTTPRequest(f"ws://{self._address}/live", headers=origin))
        while not self._stop.is_set():
            data = await live.read_message()
            if not isinstance(data, bytes):
                return
            self.packets.append(packet := seen(data))
            await live.write_message(str(packet.values["packet"]))
        live.close()


def come_and_go(port: int, seconds: float) -> int:
    """Viewers that look for a moment and leave; returns how many."""
    end_s, count = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        with Viewers(port, 2):
            time.sleep(1.0)
        count += 2
    return count


class SlowViewer:
    """Reads so many bytes a second, answers each packet once it has all of it. RFC 6455 by hand."""

    def __init__(self, port: int, bytes_a_second: int) -> None:
        self._rate = bytes_a_second
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(10)
        self._socket.sendall(
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(1)

    def packets(self, seconds: float) -> Iterator[Seen]:
        """What it sees in this time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            opcode, length = self._read(2)
            size = length & 0x7F
            if size >= 126:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            body = self._read(size)
            if opcode & 0x0F == 2:
                packet = seen(body)
                self._answer(str(packet.values["packet"]).encode())
                yield packet

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(min(4096, size - len(data)))
            time.sleep(len(part) / self._rate)
            data += part
        return data

    def _answer(self, text: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        self._socket.sendall(struct.pack("BB", 0x81, 0x80 | len(text)) + mask + masked)

    def close(self) -> None:
        self._socket.close()


def attack(port: int, half_open: int, sockets: int) -> None:
    """Half-open and slow connections, a body of 100 MB, live pages without end.

    At the lowest priority: an attacker on another host takes no core from the device.
    """
    os.nice(19)
    held: list[socket.socket] = []

    def connect(text: bytes) -> None:
        with contextlib.suppress(OSError):
            client = socket.create_connection(("127.0.0.1", port), 2)
            held.append(client)
            client.sendall(text)

    host = f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    for number in range(half_open):
        connect(b"GET / HTTP/1.1\r\n" if number % 2 else b"")
        if len(held) > 400:
            held.pop(0).close()
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    for _ in range(sockets):
        connect(f"GET /live HTTP/1.1\r\n{host}{upgrade}{key}".encode())
        if len(held) > 400:
            held.pop(0).close()
    with contextlib.suppress(OSError):
        client = socket.create_connection(("127.0.0.1", port), 2)
        held.append(client)
        client.sendall(f"POST /record HTTP/1.1\r\n{host}Content-Length: 100000000\r\n\r\n".encode())
        for _ in range(100):
            client.sendall(bytes(1_000_000))
    for client in held:
        with contextlib.suppress(OSError):
            client.sendall(b"A: b\r\n")
        client.close()
