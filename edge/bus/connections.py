"""The connections of one bound ZeroMQ socket: whose they are, and how to close one of them.

libzmq closes all connections of a socket or none. But their descriptors are this process's own:
shutdown(2) ends one, libzmq takes that for a client that left, and frees what it held.
"""

import contextlib
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MAX_DESCRIPTORS = 400
"""Of this process, and so at most some 370 connections in all."""
TCP_INFO_BYTES, BYTES_RECEIVED_AT = 136, 128
"""tcpi_bytes_received of linux/tcp.h, since Linux 4.1"""
HOST_ITSELF = "127.0.0.0/8"
"""Local programs have all of it, so it counts as one address."""


class Connection(NamedTuple):
    """A client's end: an address and port are used once at a time, descriptors again and again."""

    address: str
    port: int
    """Of a local socket: the descriptor."""
    descriptor: int


class Connections:
    """Those to one endpoint of this process."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: where the socket is bound, as libzmq names it; "" = nowhere yet."""
        scheme, _, address = endpoint.partition("://")
        self._end = address if scheme == "ipc" else address.rpartition(":")[2]

    def find(self, descriptor: int) -> Connection | None:
        """Whose connection a descriptor is; None where it is something else, or closed."""
        if descriptor < 0:
            return None
        with contextlib.suppress(OSError), _borrowed(descriptor) as line:
            own, peer = line.getsockname(), line.getpeername()
            if line.family == socket.AF_UNIX and own and own == self._end:
                return Connection("", descriptor, descriptor)
            if line.family == socket.AF_INET and str(own[1]) == self._end:
                local = peer[0].startswith("127.")
                return Connection(HOST_ITSELF if local else peer[0], peer[1], descriptor)
        return None

    def open(self) -> set[Connection]:
        """All that are open now."""
        descriptors: Iterable[int] = range(MAX_DESCRIPTORS)
        with contextlib.suppress(OSError):  # none is left to read the folder
            descriptors = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
        return {c for c in map(self.find, descriptors) if c is not None}

    def received_bytes(self, connection: Connection) -> int:
        """How much a client has sent, read or not; 0 where that is not known. tcp(7): TCP_INFO"""
        with contextlib.suppress(OSError, struct.error), _borrowed(connection.descriptor) as line:
            info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            return int(struct.unpack_from("=Q", info, BYTES_RECEIVED_AT)[0])
        return 0

    def close(self, connection: Connection) -> None:
        """Disconnect a client, if that is still its descriptor."""
        if self.find(connection.descriptor) == connection:
            with contextlib.suppress(OSError), _borrowed(connection.descriptor) as line:
                line.shutdown(socket.SHUT_RDWR)


def surplus(connections: Iterable[Connection], limit: int) -> Iterator[Connection]:
    """All but the first `limit` of each address."""
    count: dict[str, int] = defaultdict(int)
    for connection in connections:
        count[connection.address] += 1
        if count[connection.address] > limit:
            yield connection


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """libzmq's descriptor as a socket, which stays libzmq's."""
    line = socket.socket(fileno=descriptor)
    try:
        yield line
    finally:
        line.detach()
