"""Requests between processes of this host: one JSON part to a ROUTER, one JSON part back."""

from collections.abc import Iterator
from contextlib import closing

import zmq

from edge.bus.sockets import BusError, bind, connect, make_socket

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_WAITING = 16
"""Requests, and answers that are not fetched: who asks for more and does not read loses some."""
MAX_PER_TURN = 8
CONNECT_S = 5.0
"""A local connection is made by another thread than the one that answers, and so at once."""

Route = list[bytes]
"""Who asked: what stands before the request."""


class Responder:
    """Takes requests at a local endpoint; only the service's group reaches its folder."""

    def __init__(self, endpoint: str) -> None:
        """Raises BusError."""
        self.socket = make_socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.RCVHWM, MAX_WAITING)
        self.socket.setsockopt(zmq.SNDHWM, MAX_WAITING)
        bind(self.socket, endpoint)

    def receive(self) -> Iterator[tuple[Route, bytes]]:
        """Those that wait, a few a turn. Never blocks."""
        for _ in range(MAX_PER_TURN):
            try:
                *route, request = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            yield route, request

    def reply(self, route: Route, answer: bytes) -> None:
        """Never blocks; who is gone gets nothing."""
        self.socket.send_multipart([*route, answer], zmq.NOBLOCK)

    def close(self) -> None:
        self.socket.close()


class Requester:
    """Asks one question after the other."""

    def __init__(self, endpoint: str) -> None:
        """Raises BusError for what is no endpoint."""
        self._endpoint = endpoint
        self._socket = make_socket(zmq.DEALER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        connect(self._socket, endpoint)

    def ask(self, request: bytes, timeout_s: float) -> bytes:
        """The answer. Raises BusError where none comes."""
        if self._socket.poll(int(min(timeout_s, CONNECT_S) * 1e3), zmq.POLLOUT):
            self._socket.send(request)
            if self._socket.poll(int(timeout_s * 1e3)):
                return self._socket.recv()
        raise BusError(f"nothing answers at {self._endpoint}")

    def close(self) -> None:
        self._socket.close()


def ask(endpoint: str, request: bytes, timeout_s: float) -> bytes:
    """One question and its answer. Raises BusError where none comes."""
    with closing(Requester(endpoint)) as requester:
        return requester.ask(request, timeout_s)
