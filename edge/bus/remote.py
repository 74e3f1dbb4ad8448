"""An endpoint for other programs: an XPUB, plain or with CURVE, and who may subscribe to it.

Only subscriptions come in; with keys it is encrypted, for those alone. Its ZeroMQ context, and so
its I/O thread, is its own: what is sent to it does not slow other sockets.
"""

import resource
from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple

import zmq

from edge.bus import sockets
from edge.bus.authenticator import Authenticator, Bans, Warnings
from edge.bus.connections import MAX_DESCRIPTORS, Connection, Connections, surplus
from edge.bus.flood_guard import FloodGuard
from edge.bus.keys import Keys
from edge.bus.messages import TOPICS
from edge.bus.sockets import SubscriptionRequest
from edge.runtime.loop import Loop, Timer

TOPIC_NAMES = [name.encode() for name in TOPICS]
CHECK_S = 0.1
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
MAX_CONNECTIONS, MAX_CONNECTIONS_OF_KEY = 200, 100
"""Of one address, and of one key, which so cannot take all of its address, however slowly. Each may
cost 70 kB. They are counted every CHECK_S."""
RATE_S, MAX_REQUESTS = 10.0, 500
"""Of one connection in this time. libzmq queues requests without a bound."""
MAX_PLAIN_RECEIVED, MAX_CURVE_RECEIVED = 4096, 8192
"""bytes of one connection at once. A subscription has 20 bytes, 60 encrypted."""
RETRY_S = 2.0
"""An address that is in use, or not here yet as before DHCP, is tried again after this."""


class Client(NamedTuple):
    """Who has subscribed through a connection."""

    key: str
    """The public one; "" without."""
    unknown: set[bytes]
    """Subscriptions to what is no topic."""


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
        self._loop = loop
        self._on_subscription = on_subscription
        self._on_change = on_change
        self._warnings = Warnings()
        self._authenticator = (
            None
            if keys is None
            else Authenticator(keys, bans, loop, self._warnings, self._disconnect_all)
        )
        self._clients: dict[Connection, Client] = {}
        """Who has subscribed, the oldest first."""
        self._requests: Counter[Connection] = Counter()
        """In the last RATE_S."""
        self._left: Counter[str] = Counter()
        """Subscriptions to what is no topic, through connections that are closed, by key."""
        self._connections = Connections("")
        self._guard: FloodGuard | None = None
        self._sockets: list[zmq.Socket[bytes]] = []
        self._retry: Timer | None = None
        raise_descriptor_limit()
        self._bind()
        loop.call_every(CHECK_S, self._check_connections)
        loop.call_every(RATE_S, self._requests.clear)
        loop.call_every(RATE_S, self._left.clear)

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        return self._address if self._authenticator is None else f"{self._address}, encrypted"

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
        self._requests[connection] += 1
        if self._requests[connection] > MAX_REQUESTS:
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
        return self._authenticator is None or not self._authenticator.refusal(key)

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
            self._warnings.warn(connection.address, f"a client {why}: disconnected")
            self._disconnect(connection)

    def _ban(self, key: str, why: str) -> None:
        assert self._authenticator is not None, "a client has a key"
        self._authenticator.ban(key, why)

    def _disconnect_all(self, keys: Collection[str]) -> None:
        for connection in [c for c, client in self._clients.items() if client.key in keys]:
            self._disconnect(connection)

    def _disconnect(self, connection: Connection) -> None:
        self._clients.pop(connection, None)
        self._connections.close(connection)

    def _check_connections(self) -> None:
        """Close what one address has too much; those that subscribed first stay."""
        there = self._connections.open()
        self._clients = {c: client for c, client in self._clients.items() if c in there}
        of_key = Counter(client.key for client in self._clients.values() if client.key)
        for key in [key for key, count in of_key.items() if count > MAX_CONNECTIONS_OF_KEY]:
            self._ban(key, "has too many connections")
        others = there - self._clients.keys()
        for connection in list(surplus([*self._clients, *others], MAX_CONNECTIONS)):
            self._warnings.warn(
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
            (zmq.MAXMSGSIZE, MAX_PLAIN_BYTES if self._authenticator is None else MAX_CURVE_BYTES),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S),
            (zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S),
            (zmq.TCP_KEEPALIVE_CNT, KEEPALIVES),
            (zmq.TCP_MAXRT, TIMEOUT_MS),
            (zmq.BACKLOG, BACKLOG),
        ):
            self._socket.setsockopt(option, value)
        if self._authenticator is not None:
            self._authenticator.protect(self._socket, self._make_socket(zmq.ROUTER))
        try:
            sockets.bind(self._socket, self._address)
        except sockets.AddressUnavailableError as error:
            self._retry = self._loop.call_later(RETRY_S, self._reopen)
            self._on_change(str(error))
        else:
            self._connections = Connections(self._socket.get_string(zmq.LAST_ENDPOINT))
            at_once = MAX_PLAIN_RECEIVED if self._authenticator is None else MAX_CURVE_RECEIVED
            self._guard = FloodGuard(self._socket, self._connections, at_once, self._on_flood)
            self._loop.add_reader(self._socket, lambda: self._on_subscription(self))
            self._on_change("")

    def _make_socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket = sockets.make_socket(kind, self._context)
        self._sockets.append(socket)
        return socket

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
        self._context.term()


def is_of_topics(request: SubscriptionRequest) -> bool:
    """Whether anything is published that it is about."""
    return any(topic.startswith(request.prefix) for topic in TOPIC_NAMES)


def raise_descriptor_limit() -> None:
    """Connections of clients must not use up the descriptors that the local bus needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MAX_DESCRIPTORS), hard))
