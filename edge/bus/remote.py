"""An endpoint for other programs: an XPUB, plain or with CURVE, and who may subscribe to it.

Only subscriptions come in. With keys it is encrypted, and a ZAP authenticator
(rfc.zeromq.org/spec/27) accepts the public keys of the folder and no other. Its ZeroMQ context, and
so its I/O thread, is its own: what is sent to it does not slow other sockets.
"""

import contextlib
import logging
import resource
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq
from zmq.utils import z85

from edge.bus import sockets
from edge.bus.connections import MAX_DESCRIPTORS, Connection, Connections, surplus
from edge.bus.flood_guard import FloodGuard
from edge.bus.keys import Keys, KeysError, write_secret
from edge.bus.messages import TOPICS
from edge.bus.sockets import SubscriptionRequest
from edge.runtime.loop import Loop, Timer

log = logging.getLogger(__name__)

TOPIC_NAMES = [name.encode() for name in TOPICS]
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
CHECK_S = 0.1
KEYS_RELOAD_S, KEYS_RELOAD_SOON_S = 1.0, 0.1
"""The folder of keys is read once a second, and so long after an unknown key connected."""
QUEUE = 256
"""Messages kept for a subscriber that does not take them; then it misses the newer ones."""
SEND_BUFFER = 128 * 1024
"""bytes in the kernel for each subscriber"""
MAX_PLAIN_BYTES, MAX_CURVE_BYTES = 64, 512
"""Every subscription and every part of a handshake is shorter. libzmq stores a subscription at some
44 bytes a character before this program sees it."""
REQUEST_QUEUE = 10
"""Subscriptions of one connection that libzmq takes before this program sees the first."""
RECEIVE_BUFFER = 4096
"""bytes in the kernel for each subscriber's requests, so that few come at once"""
HANDSHAKE_MS = 5000
"""A client that opens a connection and sends nothing is disconnected after this."""
KEEPALIVE_S, KEEPALIVES, TIMEOUT_MS = 3, 3, 10_000
"""A host that does not answer is disconnected, its queue freed. TCP asks, not ZeroMQ: libzmq 4.3.5
aborts where a ping is due on a connection that was reset while its requests wait."""
BACKLOG = 512
MAX_UNKNOWN_PREFIXES = 100
"""Subscriptions of one key to what is no topic; those to topics are not counted."""
MAX_CONNECTIONS = 200
"""Of one key, and of one address: each may cost 70 kB. They are counted every CHECK_S."""
RATE_S, MAX_REQUESTS, MAX_HANDSHAKES = 10.0, 500, 250
"""In this time: of one connection, and of one key. libzmq queues requests without a bound."""
MAX_PLAIN_RECEIVED, MAX_CURVE_RECEIVED = 4096, 8192
"""bytes of one connection at once. A subscription has 20 bytes, 60 encrypted."""
BAN_S = 600.0
WARN_PERIOD_S = 60.0
MAX_ADDRESSES = 1000
RETRY_S = 2.0
"""An address that is in use, or not here yet as before DHCP, is tried again after this."""


class ZapRequest(NamedTuple):
    """A client with a key that waits to be authenticated."""

    envelope: list[bytes]
    """Where the reply goes: [who asks, "", version, id]."""
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


class Client(NamedTuple):
    """Who has subscribed through a connection."""

    key: str
    """The public one; "" without."""
    unknown: set[bytes]
    """Subscriptions to what is no topic."""


class Bans:
    """Names that are not accepted for a while, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        """`path`: in the runtime folder, which a restart of the computer empties."""
        self._path = path
        self._saved = True
        try:
            self._until_s = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            self._until_s = {}

    def add(self, name: str) -> None:
        self._until_s[name] = time.monotonic() + BAN_S
        self._saved = False
        self.save()

    def has(self, name: str) -> bool:
        return self._until_s.get(name, 0.0) > time.monotonic()

    def keep(self, names: Collection[str]) -> None:
        """Forget the bans of all others."""
        if not self._until_s.keys() <= set(names):
            self._until_s = {n: at_s for n, at_s in self._until_s.items() if n in names}
            self._saved = False
            self.save()

    def save(self) -> None:
        """Save what is not saved yet, where that can be done; else later, by another call."""
        if self._saved:
            return
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
            write_secret(new, msgspec.json.encode(self._until_s))
            new.replace(self._path)
            self._saved = True


class Endpoint:
    """A bound XPUB, plain or encrypted."""

    def __init__(
        self,
        address: str,
        keys: Keys | None,
        loop: Loop,
        on_subscription: Callable[["Endpoint"], None],
        on_change: Callable[[str], None],
        bans: Bans,
    ) -> None:
        """Bind, now or as soon as the address is free. Raises BusError, KeysError.

        `keys`: of the authorised subscribers; None = everyone, without encryption.
        `on_subscription` is called when subscriptions wait, `on_change` with why the endpoint is
        not open, or "" when it is.
        """
        self._address = address
        self._keys = keys
        self._loop = loop
        self._on_subscription = on_subscription
        self._on_change = on_change
        self._secret = b"" if keys is None else keys.secret()
        self._allowed = {} if keys is None else keys.allowed()
        self._waiting: list[ZapRequest] = []
        self._clients: dict[Connection, Client] = {}
        """Who has subscribed, the oldest first."""
        self._rates: Counter[Connection | str] = Counter()
        """Requests and handshakes in the last RATE_S, by connection and key."""
        self._left: Counter[str] = Counter()
        """Subscriptions to what is no topic, through connections that are closed, by key."""
        self._bans = bans
        self._warned_s: dict[str, float] = {}
        self._connections = Connections("")
        self._guard: FloodGuard | None = None
        self._sockets: list[zmq.Socket[bytes]] = []
        self._retry: Timer | None = None
        raise_descriptor_limit()
        self._bind()
        loop.call_every(CHECK_S, self._check_connections)
        loop.call_every(RATE_S, self._rates.clear)
        loop.call_every(RATE_S, self._left.clear)
        if keys is not None:
            loop.call_every(KEYS_RELOAD_S, self._reload_keys)

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        return self._address if self._keys is None else f"{self._address}, encrypted"

    def send(self, parts: list[bytes]) -> None:
        """Send [topic, JSON] to all who subscribed to it. Never blocks."""
        self._socket.send_multipart(parts)

    def requests(self) -> list[SubscriptionRequest]:
        """The next subscriptions to topics. Who would fill our memory with others is banned."""
        return [r for r in sockets.requests(self._socket) if self._accept(r) and r.subscribes]

    def _accept(self, request: SubscriptionRequest) -> bool:
        """Whether it is about topics, from who may subscribe. All others are kept in view."""
        connection = self._connections.find(request.descriptor)
        if connection is None:  # it has left, or was cut off
            self._count_left(request)
            return False
        if not self._is_allowed(request.key):
            self._connections.close(connection)
            return False
        client = self._clients.setdefault(connection, Client(request.key, set()))
        self._rates[connection] += 1
        if self._rates[connection] > MAX_REQUESTS:
            self._cut_off(connection, "subscribes again and again")
        elif is_of_topics(request):
            return True
        elif request.subscribes:
            client.unknown.add(request.prefix)
            self._check_unknown(client.key)
        return False

    def _count_left(self, request: SubscriptionRequest) -> None:
        """Who was cut off before the first subscription was read is known by the rest of them."""
        if request.key and not is_of_topics(request) and self._is_allowed(request.key):
            self._left[request.key] += 1
            if self._left[request.key] > MAX_UNKNOWN_PREFIXES:
                self._ban(request.key, "has subscribed to too much that is no topic")

    def _is_allowed(self, key: str) -> bool:
        return self._keys is None or not self._refusal(key)

    def _check_unknown(self, key: str) -> None:
        """Cut off the key that has too many; without keys, who has most of them."""
        clients = ((c, client) for c, client in self._clients.items() if client.key == key)
        unknown = {connection: len(client.unknown) for connection, client in clients}
        if sum(unknown.values()) > MAX_UNKNOWN_PREFIXES:
            worst = max(unknown, key=unknown.__getitem__)
            self._cut_off(worst, "has subscribed to too much that is no topic")

    def _cut_off(self, connection: Connection, why: str) -> None:
        """Ban its key; without one it can only be disconnected."""
        client = self._clients.get(connection)
        if client is not None and client.key:
            self._ban(client.key, why)
        else:
            self._warn_throttled(connection.address, f"a client {why}: disconnected")
            self._disconnect(connection)

    def _ban(self, key: str, why: str) -> None:
        """Disconnect a key, and accept it no more for a while."""
        name = self._allowed[key]
        log.warning("%r %s: disconnected for %.0f minutes", name, why, BAN_S / 60)
        self._bans.add(name)
        self._disconnect_all({key})

    def _disconnect_all(self, keys: Collection[str]) -> None:
        for connection in [c for c, client in self._clients.items() if client.key in keys]:
            self._disconnect(connection)

    def _disconnect(self, connection: Connection) -> None:
        self._clients.pop(connection, None)
        self._connections.close(connection)

    def _check_connections(self) -> None:
        """Close what one address has too much; those that subscribed first stay."""
        self._bans.save()
        there = self._connections.open()
        self._clients = {c: client for c, client in self._clients.items() if c in there}
        of_key = Counter(client.key for client in self._clients.values() if client.key)
        for key in [key for key, count in of_key.items() if count > MAX_CONNECTIONS]:
            self._ban(key, "has too many connections")
        others = there - self._clients.keys()
        for connection in list(surplus([*self._clients, *others], MAX_CONNECTIONS)):
            self._warn_throttled(
                connection.address,
                f"more than {MAX_CONNECTIONS} connections from {connection.address}: closed",
            )
            self._clients.pop(connection, None)
            self._connections.close(connection)

    def _on_flood(self, connection: Connection) -> None:
        """The guard, in its thread, has disconnected who sent more than subscriptions."""
        self._loop.call_soon_threadsafe(
            lambda: self._cut_off(connection, "sends more than subscriptions")
        )

    def _bind(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._make_socket(zmq.XPUB)
        for option, value in (
            (zmq.XPUB_VERBOSE, 1),
            (zmq.SNDHWM, QUEUE),
            (zmq.SNDBUF, SEND_BUFFER),
            (zmq.RCVHWM, REQUEST_QUEUE),
            (zmq.RCVBUF, RECEIVE_BUFFER),
            (zmq.MAXMSGSIZE, MAX_PLAIN_BYTES if self._keys is None else MAX_CURVE_BYTES),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S),
            (zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S),
            (zmq.TCP_KEEPALIVE_CNT, KEEPALIVES),
            (zmq.TCP_MAXRT, TIMEOUT_MS),
            (zmq.BACKLOG, BACKLOG),
        ):
            self._socket.setsockopt(option, value)
        if self._keys is not None:
            self._enable_curve()
        try:
            sockets.bind(self._socket, self._address)
        except sockets.AddressUnavailableError as error:
            self._retry = self._loop.call_later(RETRY_S, self._reopen)
            self._on_change(str(error))
        else:
            self._connections = Connections(self._socket.get_string(zmq.LAST_ENDPOINT))
            at_once = MAX_PLAIN_RECEIVED if self._keys is None else MAX_CURVE_RECEIVED
            self._guard = FloodGuard(self._socket, self._connections, at_once, self._on_flood)
            self._loop.add_reader(self._socket, lambda: self._on_subscription(self))
            self._on_change("")

    def _make_socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = sockets.make_socket(kind, self._context)
        self._sockets.append(socket)
        return socket

    def _enable_curve(self) -> None:
        """The authenticator must listen before the first client: without one all are accepted."""
        self._zap = self._make_socket(zmq.ROUTER)
        sockets.bind(self._zap, ZAP_ENDPOINT)
        self._loop.add_reader(self._zap, self._on_zap_request)
        try:
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        except zmq.ZMQError as error:
            raise KeysError("device.key is damaged: remove it and make new keys") from error
        self._socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, b"emotion-edge")

    def _on_zap_request(self) -> None:
        """Accept a known key at once; the others wait until the folder was read again."""
        request = ZapRequest.of(self._zap.recv_multipart())
        if request.public in self._allowed:
            self._reply(request)
            return
        if not self._waiting:
            self._loop.call_later(KEYS_RELOAD_SOON_S, self._reply_to_waiting)
        self._waiting.append(request)

    def _reply_to_waiting(self) -> None:
        """A key that was added a moment ago counts; one look at the folder serves all."""
        self._reload_keys()
        for request in self._waiting:
            self._reply(request)
        self._waiting.clear()

    def _reply(self, request: ZapRequest) -> None:
        why_not = self._refusal(request.public)
        if why_not:
            self._warn_throttled(
                request.address, f"authentication failed for {request.address}: {why_not}"
            )
            status = [b"400", b"unknown key", b"", b""]
        else:
            status = [b"200", b"OK", request.public.encode(), b""]
            self._count_handshake(request.public)
        self._zap.send_multipart([*request.envelope, *status])

    def _refusal(self, key: str) -> str:
        """Why a key is not accepted; "" where it is."""
        name = self._allowed.get(key)
        if name is None:
            return "unknown key"
        return f"{name!r} is banned" if self._bans.has(name) else ""

    def _count_handshake(self, key: str) -> None:
        self._rates[key] += 1
        if self._rates[key] > MAX_HANDSHAKES:
            self._ban(key, "connects again and again")

    def _warn_throttled(self, about: str, line: str) -> None:
        """At most one line a minute about each address, in memory that clients cannot fill."""
        now_s = time.monotonic()
        known = self._warned_s
        if len(known) >= MAX_ADDRESSES:
            known = {a: at_s for a, at_s in known.items() if now_s - at_s < WARN_PERIOD_S}
            self._warned_s = known
        if len(known) >= MAX_ADDRESSES or now_s - known.get(about, -WARN_PERIOD_S) < WARN_PERIOD_S:
            return
        known[about] = now_s
        log.warning("%s", line)

    def _reload_keys(self) -> None:
        """Read the keys again. Who was removed is disconnected."""
        assert self._keys is not None
        try:
            allowed = self._keys.allowed()
        except KeysError as error:
            self._warn_throttled("keys", f"{error}; until then the old ones count")
            return
        removed = self._allowed.keys() - allowed.keys()
        self._allowed = allowed
        self._bans.keep(allowed.values())  # a name that is removed and added is accepted again
        if removed:
            log.info("a key was removed: its subscribers are disconnected")
            self._disconnect_all(removed)

    def _reopen(self) -> None:
        self.close()
        self._bind()

    def close(self) -> None:
        """Close it; when this returns the port is free."""
        if self._retry is not None:
            self._retry.cancel()
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        for socket in self._sockets:
            if self._loop.has_reader(socket):
                self._loop.remove_reader(socket)
            socket.close()
        self._sockets.clear()
        self._clients.clear()
        self._waiting.clear()
        self._context.term()


def is_of_topics(request: SubscriptionRequest) -> bool:
    """Whether anything is published that it is about."""
    return any(topic.startswith(request.prefix) for topic in TOPIC_NAMES)


def raise_descriptor_limit() -> None:
    """Connections of clients must not use up the descriptors that the local bus needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MAX_DESCRIPTORS), hard))
