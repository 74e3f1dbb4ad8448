"""Ends connections that send more than they may, in a thread of its own.

libzmq stores subscriptions for as long as they keep coming, and the program that called it sees the
first of them after the last. So whoever looks at what comes in cannot be in the thread that reads.
"""

import contextlib
import os
import select
import struct
import threading
import time
from collections.abc import Callable

import zmq

from edge.bus.connections import Connection, Connections

PERIOD_S = 0.01
AWAKE_S = 1.0
"""After something came, it looks every PERIOD_S for so long; then it sleeps until more comes."""
MAX_RECEIVED_S = 1024
"""bytes of one connection each second, beside what it may send at once"""


class FloodGuard:
    """Watches the clients of one bound socket, from its construction to `close`."""

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        connections: Connections,
        at_once: int,
        on_flood: Callable[[Connection], None],
    ) -> None:
        """`at_once`: bytes that a connection may send at once.

        `on_flood` is called from the guard's thread, once for each connection that was ended.
        """
        self._socket = socket
        self._connections = connections
        self._at_once = at_once
        self._on_flood = on_flood
        self._since_s: dict[Connection, float] = {}
        """When each connection was accepted."""
        self._accepted = socket.get_monitor_socket(zmq.EVENT_ACCEPTED)
        self._sent = select.epoll()
        """Wakes up when a client sends: edge-triggered, as libzmq is who reads it. epoll(7)"""
        for connection in connections.open():
            self._watch(connection)
        self._closing = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name="flood-guard", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poller = zmq.Poller()
        for source in (self._accepted, self._sent.fileno(), self._closing):
            poller.register(source, zmq.POLLIN)
        awake_until_s = 0.0
        while True:
            asleep = time.monotonic() > awake_until_s
            ready = dict(poller.poll(None if asleep else 0))
            if self._closing in ready:
                return
            if ready:
                awake_until_s = time.monotonic() + AWAKE_S
                self._sent.poll(0)
            self._accept()
            self._look()
            time.sleep(PERIOD_S)

    def _accept(self) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                event, _ = self._accepted.recv_multipart(zmq.NOBLOCK)
                _, descriptor = struct.unpack("=Hi", event)  # zmq_socket_monitor(3)
                connection = self._connections.find(descriptor)
                if connection is not None:
                    self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        self._since_s[connection] = time.monotonic()
        with contextlib.suppress(OSError):  # closed since, or watched already
            self._sent.register(connection.descriptor, select.EPOLLIN | select.EPOLLET)

    def _look(self) -> None:
        now_s = time.monotonic()
        for connection, since_s in list(self._since_s.items()):
            received = self._connections.received_bytes(connection)
            if received > self._at_once + MAX_RECEIVED_S * (now_s - since_s):
                del self._since_s[connection]
                self._connections.close(connection)
                self._on_flood(connection)
            elif not received and self._connections.find(connection.descriptor) != connection:
                del self._since_s[connection]

    def close(self) -> None:
        """End the thread, before the socket is closed."""
        os.eventfd_write(self._closing, 1)
        self._thread.join()
        self._socket.disable_monitor()
        self._sent.close()
        os.close(self._closing)
