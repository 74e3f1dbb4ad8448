"""The door for other hosts: an XPUB, who may pass it, and how it is shut again.

Only subscriptions come in. With keys it speaks CURVE, and a ZAP authenticator
(rfc.zeromq.org/spec/27) lets in the public keys of the folder and no other. Its ZeroMQ context, and
so its I/O thread, is its own: what is thrown at it does not slow the local bus. Knows no message.
"""

import ipaddress
import logging
import resource
import time
from collections.abc import Callable

import zmq
from zmq.utils import z85

from edge import bus
from edge.keys import Keys, KeysError
from edge.loop import Loop

log = logging.getLogger(__name__)

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
LOOK_S = 1.0
"""How often the folder of keys is read again."""
QUEUE = 256
"""Messages kept for a subscriber that does not take them; then it misses the newer ones."""
SEND_BUFFER = 128 * 1024
"""bytes in the kernel for each subscriber"""
LONGEST_REQUEST = 1024
"""bytes; a CURVE handshake's longest part and every subscription are shorter."""
HANDSHAKE_MS = 5000
"""A stranger that opens a connection and says nothing is cut off after this."""
HEARTBEAT_MS, DEAD_MS = 2000, 10_000
"""A subscriber that is pinged and does not answer for DEAD_MS is cut off; its queue is freed."""
BACKLOG = 512
COMPLAIN_S = 60.0
MOST_ADDRESSES = 1000


def is_local(endpoint: str) -> bool:
    """Whether only programs of this host can reach `endpoint`."""
    kind, _, address = endpoint.partition("://")
    host = address.rpartition(":")[0].strip("[]")
    if kind == "ipc" or host in ("lo", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Door:
    """A bound XPUB, plain or locked."""

    def __init__(self, endpoint: str, keys: Keys | None, loop: Loop) -> None:
        """`keys`: of those who may pass; None = everyone. Raises KeysError."""
        self._endpoint = endpoint
        self._keys = keys
        self._loop = loop
        self._secret = b"" if keys is None else keys.secret()
        self._allowed = {} if keys is None else keys.allowed()
        self._complained_s: dict[str, float] = {}
        self._sockets: list[zmq.Socket[bytes]] = []
        self._on_request: Callable[[], None] = lambda: None
        allow_many_connections()

    def open(self, on_request: Callable[[], None]) -> None:
        """Bind; `on_request` is called when a subscription waits. Raises BusError, KeysError."""
        self._on_request = on_request
        self._bind()
        if self._keys is not None:
            self._loop.every(LOOK_S, self._look)

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        if self._keys is None:
            return self._endpoint
        return f"{self._endpoint}, locked"

    def _bind(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._make_socket(zmq.XPUB)
        for option, value in (
            (zmq.XPUB_VERBOSE, 1),
            (zmq.SNDHWM, QUEUE),
            (zmq.SNDBUF, SEND_BUFFER),
            (zmq.MAXMSGSIZE, LONGEST_REQUEST),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, DEAD_MS),
            (zmq.BACKLOG, BACKLOG),
        ):
            self.socket.setsockopt(option, value)
        if self._keys is not None:
            self._lock()
        bus.bind(self.socket, self._endpoint)
        self._loop.watch(self.socket, self._on_request)

    def _make_socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = bus.make_socket(kind, self._context)
        self._sockets.append(socket)
        return socket

    def _lock(self) -> None:
        """The authenticator must listen before the first stranger: without one all may pass."""
        self._zap = self._make_socket(zmq.REP)
        bus.bind(self._zap, ZAP_ENDPOINT)
        self._loop.watch(self._zap, self._on_stranger)
        try:
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        except zmq.ZMQError as error:
            raise KeysError("device.key is damaged: remove it and make new keys") from error
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.ZAP_DOMAIN, b"emotion-edge")

    def _on_stranger(self) -> None:
        """Answer one ZAP request: [version, id, domain, address, identity, mechanism, key]."""
        version, request, _, address, _, _, *credentials = self._zap.recv_multipart()
        name = self._name_of(credentials)
        if name is None:
            where = address.decode("ascii", "replace")
            self._complain(where, f"turned away {where}: its key is unknown here")
            answer = [b"400", b"unknown key", b""]
        else:
            answer = [b"200", b"OK", name.encode()]
        self._zap.send_multipart([version, request, *answer, b""])

    def _name_of(self, credentials: list[bytes]) -> str | None:
        """Whose key it is; a key that was added a moment ago counts."""
        if len(credentials) != 1 or len(credentials[0]) != 32:
            return None
        public = z85.encode(credentials[0]).decode()
        if public not in self._allowed:
            self._look()
        return self._allowed.get(public)

    def _complain(self, about: str, line: str) -> None:
        """At most one line a minute about each address, and no memory that strangers can fill."""
        now_s = time.monotonic()
        known = self._complained_s
        if len(known) >= MOST_ADDRESSES:
            known = {a: at_s for a, at_s in known.items() if now_s - at_s < COMPLAIN_S}
            self._complained_s = known
        if len(known) >= MOST_ADDRESSES or now_s - known.get(about, -COMPLAIN_S) < COMPLAIN_S:
            return
        known[about] = now_s
        log.warning("%s", line)

    def _look(self) -> None:
        """Read the keys again. Who was removed is cut off, by shutting the door for a moment."""
        assert self._keys is not None
        try:
            allowed = self._keys.allowed()
        except KeysError as error:
            self._complain("keys", f"{error}; until then the old ones count")
            return
        removed = set(self._allowed) - set(allowed)
        self._allowed = allowed
        if removed:
            log.info("a key was removed: every subscriber has to show its own again")
            self._loop.after(0, self._reopen)  # not from within a handler of the old sockets

    def _reopen(self) -> None:
        self.close()
        self._bind()

    def close(self) -> None:
        """Shut it; when this returns the port is free."""
        for socket in self._sockets:
            if self._loop.is_watching(socket):
                self._loop.unwatch(socket)
            socket.close()
        self._sockets.clear()
        self._context.term()


def allow_many_connections() -> None:
    """Let strangers' connections not use up the file descriptors that the local bus needs."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
