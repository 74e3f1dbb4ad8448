"""Clients that want to harm: half-open, slow, huge, many. The pages and the bus live on."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.config import Config
from edge.services import web
from edge.web.live import MAX_A_SESSION
from edge.web.server import MAX_OF_ONE_ADDRESS
from tests.support.harness import running, wait_for
from tests.support.sizes import FULL
from tests.support.web import Browser, next_packet, opened, origin, request, serving, with_web


@pytest.fixture
def page(with_hub: Config) -> Iterator[Browser]:
    with serving(with_web(with_hub)) as browser:
        yield browser


@contextlib.contextmanager
def connections(config: Config, count: int, text: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open ones, each after `text`."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", config.web.address[1]), 5)
            opened.append(connection)
            with contextlib.suppress(OSError):  # it was closed at once
                connection.sendall(text)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(65_536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_half_open_connections_are_limited_and_end(page: Browser) -> None:
    """Those of one address; others still come in, and so does it once they have ended."""
    with connections(page.config, 200, b"GET / HTTP/1.1\r\n") as held:
        wait_for(lambda: sum(map(is_closed, held)) >= 200 - MAX_OF_ONE_ADDRESS, "they are closed")
        wait_for(lambda: all(map(is_closed, held)), "the rest times out", 30)
        assert page.get("/").status == 200


def test_a_body_that_is_too_long_is_refused_unread(page: Browser) -> None:
    head = (
        f"POST /record HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin(page.config)}\r\n"
        "Content-Length: 100000000\r\n\r\n"
    )
    with connections(page.config, 1, head.encode()) as (client,):
        client.settimeout(10)
        assert b" 400 " in client.recv(1000) or client.recv(1000) == b""
    assert page.get("/").status == 200


@pytest.mark.parametrize(
    "text",
    [b"\x00" * 1000, b"\xff\xfe" * 500, b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, b"\x16\x03\x01\x02\x00\x01\x00" * 100,
     b"POST /record HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"POST /record HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
     b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
)  # fmt: skip
def test_garbage_harms_nobody(page: Browser, text: bytes) -> None:
    with connections(page.config, 5, text):
        assert page.get("/health").status == 200


def test_one_user_gets_so_many_live_pages_and_no_more(page: Browser) -> None:
    async def attempt() -> int:
        lives: list[Any] = []
        with contextlib.suppress(Exception):  # from some point on the connection itself is refused
            for _ in range(60):
                lives.append(await opened(page.config))
        first = await asyncio.gather(*(live.read_message() for live in lives))
        for live in lives:
            live.close()
        return sum(packet is not None for packet in first)

    assert asyncio.run(attempt()) == MAX_A_SESSION


def test_a_socket_that_sends_too_much_is_closed(page: Browser) -> None:
    async def attempt() -> None:
        live = await opened(page.config)
        await next_packet(live)
        await live.write_message("9" * 1000)
        while await asyncio.wait_for(live.read_message(), 10) is not None:
            pass

    asyncio.run(attempt())
    assert page.get("/").status == 200


def test_connections_that_come_and_go_leave_no_descriptor(page: Browser) -> None:
    async def visit() -> None:
        live = await opened(page.config)
        await next_packet(live)
        live.close()
        while await live.read_message() is not None:
            pass

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    asyncio.run(visit())
    before = descriptors()
    for _ in range(500 if FULL else 20):
        asyncio.run(visit())
        request(page.config, "/")
    wait_for(lambda: descriptors() <= before + 4, "they are given back")


def test_an_address_that_is_taken_is_tried_again(with_hub: Config) -> None:
    config = with_web(with_hub)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(config.web.address)
        other.listen()
        with running(web.run, config):
            time.sleep(0.5)
            other.close()
            wait_for(lambda: is_served(config), "it is served")


def is_served(config: Config) -> bool:
    try:
        return request(config, "/").status == 200
    except OSError:
        return False
