"""The door for other hosts: an XPUB, who may pass it, and how it is shut again.

Only subscriptions come in. With keys it speaks CURVE, and a ZAP authenticator
(rfc.zeromq.org/spec/27) lets in the public keys of the folder and no other. Its ZeroMQ context, and
so its I/O thread, is its own: what is thrown at it does not slow the local bus. Knows no message.
"""

import logging
import resource
import time
from collections.abc import Callable
from typing import NamedTuple

import zmq
from zmq.utils import z85

from edge.bus import sockets
from edge.bus.keys import Keys, KeysError
from edge.bus.sockets import SubscriptionRequest
from edge.config import is_local as is_local
from edge.runtime.loop import Loop, Timer

log = logging.getLogger(__name__)

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
KEYS_RELOAD_S, KEYS_RELOAD_SOON_S = 1.0, 0.1
"""The folder of keys is read once a second, and so long after an unknown key knocked."""
QUEUE = 256
"""Messages kept for a subscriber that does not take them; then it misses the newer ones."""
SEND_BUFFER = 128 * 1024
"""bytes in the kernel for each subscriber"""
MAX_REQUEST_BYTES = 1024
"""bytes; a CURVE handshake's longest part and every subscription are shorter."""
HANDSHAKE_MS = 5000
"""A stranger that opens a connection and says nothing is cut off after this."""
HEARTBEAT_MS, DEAD_MS = 2000, 10_000
"""A subscriber that is pinged and does not answer for DEAD_MS is cut off; its queue is freed."""
BACKLOG = 512
MAX_PREFIXES = 500
"""Different subscriptions at a time, of all together; there are a dozen topics."""
COMPLAIN_S = 60.0
MAX_ADDRESSES = 1000
RETRY_S = 2.0
"""An address that is not here yet, as before DHCP has answered, is tried again after this."""


class ZapRequest(NamedTuple):
    """Somebody with a key, who waits for an answer."""

    envelope: list[bytes]
    """Where the answer goes: [who asks, "", version, id]."""
    address: str
    public: str

    @classmethod
    def of(cls, parts: list[bytes]) -> "ZapRequest":
        """Read a ZAP request; after the envelope: domain, address, identity, mechanism, key."""
        _, address, _, _, *credentials = parts[4:]
        return cls(
            parts[:4],
            address.decode("ascii", "replace"),
            z85.encode(credentials[0]).decode() if list(map(len, credentials)) == [32] else "",
        )


class Door:
    """A bound XPUB, plain or locked."""

    def __init__(self, endpoint: str, keys: Keys | None, loop: Loop) -> None:
        """`keys`: of those who may pass; None = everyone. Raises KeysError."""
        self._endpoint = endpoint
        self._keys = keys
        self._loop = loop
        self._secret = b"" if keys is None else keys.secret()
        self._allowed = {} if keys is None else keys.allowed()
        self._waiting: list[ZapRequest] = []
        self._prefixes: set[bytes] = set()
        self._banned: set[str] = set()
        self._complained_s: dict[str, float] = {}
        self._sockets: list[zmq.Socket[bytes]] = []
        self._on_request: Callable[[], None] = lambda: None
        self._on_change: Callable[[str], None] = lambda _: None
        self._retry: Timer | None = None
        allow_many_connections()

    def open(self, on_request: Callable[[], None], on_change: Callable[[str], None]) -> None:
        """Bind, now or when the address is there. Raises BusError, KeysError.

        `on_request` is called when a subscription waits, `on_change` with why it is not open, or
        "" when it is.
        """
        self._on_request, self._on_change = on_request, on_change
        self._bind()
        if self._keys is not None:
            self._loop.call_every(KEYS_RELOAD_S, self._reload_keys)

    def requests(self) -> list[SubscriptionRequest]:
        """The next subscriptions. Who wants to fill our memory with them is shut out."""
        taken = list(sockets.requests(self.socket))
        for request in taken:
            change = self._prefixes.add if request.subscribes else self._prefixes.discard
            change(request.prefix)
            if len(self._prefixes) > MAX_PREFIXES:
                self._ban(request.name)
                return []
        return taken

    def _ban(self, name: str) -> None:
        who = f"{name!r}" if name else "someone"
        log.warning("%s has subscribed to %d things and is cut off", who, MAX_PREFIXES)
        self._banned.add(name)
        self._prefixes.clear()
        self._loop.call_later(0, self._reopen)

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
            (zmq.MAXMSGSIZE, MAX_REQUEST_BYTES),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, DEAD_MS),
            (zmq.BACKLOG, BACKLOG),
        ):
            self.socket.setsockopt(option, value)
        if self._keys is not None:
            self._lock()
        try:
            sockets.bind(self.socket, self._endpoint)
        except sockets.AddressNotAvailableError as error:
            self._retry = self._loop.call_later(RETRY_S, self._reopen)
            self._on_change(str(error))
        else:
            self._loop.add_reader(self.socket, self._on_request)
            self._on_change("")

    def _make_socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = sockets.make_socket(kind, self._context)
        self._sockets.append(socket)
        return socket

    def _lock(self) -> None:
        """The authenticator must listen before the first stranger: without one all may pass."""
        self._zap = self._make_socket(zmq.ROUTER)
        sockets.bind(self._zap, ZAP_ENDPOINT)
        self._loop.add_reader(self._zap, self._on_stranger)
        try:
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        except zmq.ZMQError as error:
            raise KeysError("device.key is damaged: remove it and make new keys") from error
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.ZAP_DOMAIN, b"emotion-edge")

    def _on_stranger(self) -> None:
        """Let a known key in at once; the others wait for the next look."""
        stranger = ZapRequest.of(self._zap.recv_multipart())
        if stranger.public in self._allowed:
            self._answer(stranger)
            return
        if not self._waiting:
            self._loop.call_later(KEYS_RELOAD_SOON_S, self._answer_waiting)
        self._waiting.append(stranger)

    def _answer_waiting(self) -> None:
        """A key that was added a moment ago counts; one look serves all who wait."""
        self._reload_keys()
        for stranger in self._waiting:
            self._answer(stranger)
        self._waiting.clear()

    def _answer(self, stranger: "ZapRequest") -> None:
        name = self._allowed.get(stranger.public)
        if name is None or name in self._banned:
            where = stranger.address
            self._complain(where, f"turned away {where}: its key may not pass here")
            said = [b"400", b"unknown key", b"", b""]
        else:
            said = [b"200", b"OK", name.encode(), b""]
        self._zap.send_multipart([*stranger.envelope, *said])

    def _complain(self, about: str, line: str) -> None:
        """At most one line a minute about each address, and no memory that strangers can fill."""
        now_s = time.monotonic()
        known = self._complained_s
        if len(known) >= MAX_ADDRESSES:
            known = {a: at_s for a, at_s in known.items() if now_s - at_s < COMPLAIN_S}
            self._complained_s = known
        if len(known) >= MAX_ADDRESSES or now_s - known.get(about, -COMPLAIN_S) < COMPLAIN_S:
            return
        known[about] = now_s
        log.warning("%s", line)

    def _reload_keys(self) -> None:
        """Read the keys again. Who was removed is cut off, by shutting the door for a moment."""
        assert self._keys is not None
        try:
            allowed = self._keys.allowed()
        except KeysError as error:
            self._complain("keys", f"{error}; until then the old ones count")
            return
        removed = set(self._allowed) - set(allowed)
        self._allowed = allowed
        self._banned &= set(allowed.values())  # a name that is removed and added may pass again
        if removed:
            log.info("a key was removed: every subscriber has to show its own again")
            self._loop.call_later(0, self._reopen)  # not from within a handler of the old sockets

    def _reopen(self) -> None:
        self.close()
        self._bind()

    def close(self) -> None:
        """Shut it; when this returns the port is free."""
        if self._retry is not None:
            self._retry.cancel()
        for socket in self._sockets:
            if self._loop.has_reader(socket):
                self._loop.remove_reader(socket)
            socket.close()
        self._sockets.clear()
        self._prefixes.clear()
        self._waiting.clear()
        self._context.term()


def allow_many_connections() -> None:
    """Let strangers' connections not use up the file descriptors that the local bus needs."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
