"""Subscribe to a device, from this host or another one. Needs pyzmq and msgspec only.

from edge.client import subscribe

for message in subscribe("tcp://kitchen.local:5556", ["emotion"], key="laptop.key"):
    print(message.device, message.emotion, message.confidence)

It reconnects by itself, and logs when the device falls silent, when it is back, and what could not
be read. A slow reader misses states that have a newer one, and is never far behind.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from edge.bus import sockets
from edge.bus.clock_offset import ClockOffset
from edge.bus.keys import SubscriberKey, read_key
from edge.bus.messages import TOPICS, HealthMessage, Message
from edge.bus.pubsub import MAX_DEVICES, Subscriber, remember
from edge.bus.sockets import BusError
from edge.config import is_local

log = logging.getLogger(__name__)

LOCAL_ENDPOINT = "tcp://127.0.0.1:5556"
RUNNING = "is `emotion-edge run` running?"
HEALTH = "health."
STALE_S = 3.0
"""`health` comes every second; a device that sends nothing for this long is stale."""
TICK_S = 0.5
MAX_LAG_S = 0.5
"""A state that is older than this when it is read, and has a newer one, is dropped."""
HEARTBEAT_MS, DEAD_MS = 1000, 3000
CONNECT_MS, HANDSHAKE_MS = 2000, 3000
FAILURES = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
HANDSHAKE_FAILED = "handshake failed: encryption or server key mismatch"
EVENTS = FAILURES | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED


class RefusedError(BusError):
    """Authentication failed: the device does not know this key (any more)."""


class StaleError(TimeoutError):
    """Nothing comes from the device, not even its health: what was received is out of date."""


class SilentError(TimeoutError):
    """The device is there, and publishes nothing on these topics."""


class Received(NamedTuple):
    """A message, and how old it was when it came."""

    topic: str
    message: Message
    age_s: float
    """From the capture to the arrival, by this host's clock (edge.bus.clock_offset)."""


class Subscription:
    """The messages of one device, or of several."""

    def __init__(
        self,
        endpoint: str = LOCAL_ENDPOINT,
        topics: Iterable[str] = ("",),
        key: "str | Path | None" = None,
        timeout_s: float | None = None,
    ) -> None:
        """Connect. `topics`, `key`, `timeout_s`: as for `subscribe`. Raises BusError, KeysError."""
        self.endpoint = endpoint
        self.topics = tuple(topics)
        self.offsets: dict[str, ClockOffset] = {}
        """Per device: how far this host's clock is ahead of its own."""
        self._timeout_s = timeout_s
        self._connected: dict[str, SubscriberKey | None] = {}
        self._opened_s = self._connected_s = self._received_s = self._wanted_s = time.monotonic()
        self._stale = False
        self._failure = ""
        self._health: dict[str, HealthMessage] = {}
        self._connected[endpoint] = None if key is None else read_key(Path(key))
        self._socket = _make_socket(self._connected[endpoint])
        self._waiter: zmq.asyncio.Socket | None = None
        self._monitor = self._socket.get_monitor_socket(EVENTS)
        try:
            self._subscriber = Subscriber(endpoint, {*self.topics, HEALTH}, self._socket)
        except BusError:
            self.close()
            raise

    def connect(self, endpoint: str, key: "str | Path | None" = None) -> None:
        """Subscribe to another device as well; `message.device` tells them apart."""
        self._connected[endpoint] = None if key is None else read_key(Path(key))
        _use(self._socket, self._connected[endpoint])
        sockets.connect(self._socket, endpoint)
        self.endpoint += f" and {endpoint}"

    def _reconnect(self) -> None:
        """libzmq itself does not, after a message that is too long."""
        self._connected_s = time.monotonic()
        for endpoint, key in self._connected.items():
            with contextlib.suppress(zmq.ZMQError):
                self._socket.disconnect(endpoint)
            _use(self._socket, key)
            sockets.connect(self._socket, endpoint)

    @property
    def bad(self) -> int:
        """How many messages could not be read; the first one is in the log."""
        return self._subscriber.bad

    @property
    def stale(self) -> bool:
        """True while nothing comes, not even health: what was received is out of date."""
        return time.monotonic() - self._received_s > STALE_S

    def wait(self, timeout_s: float) -> list[Received]:
        """Like `receive`, after at most `timeout_s` of waiting for something to come."""
        self._socket.poll(int(timeout_s * 1e3))
        return self.receive()

    async def wait_async(self, timeout_s: float) -> list[Received]:
        """Like `wait`, for asyncio."""
        if self._waiter is None:
            self._waiter = zmq.asyncio.Socket.from_socket(self._socket)
        await self._waiter.poll(int(timeout_s * 1e3))
        return self.receive()

    def receive(self) -> list[Received]:
        """What waits on the wanted topics, but for what is superseded. Never blocks.

        Raises RefusedError; with a timeout StaleError and SilentError.
        """
        self._check_connection()
        received = [Received(t, m, self._age_s(m)) for t, m in self._subscriber.receive_all()]
        self._health.update((t, m) for t, m, _ in received if isinstance(m, HealthMessage))
        wanted = [one for one in received if one.topic.startswith(self.topics)]
        self._check_timeouts(bool(received), bool(wanted))
        return drop_superseded(wanted)

    def _age_s(self, message: Message) -> float:
        """A message's age, by what its time tells about the clock of its device."""
        offset = self.offsets.get(message.device) or ClockOffset()
        remember(self.offsets, message.device, offset, MAX_DEVICES)
        now_s = time.time()
        offset.take(message.time + message.age_ms / 1e3, now_s)
        return max(0.0, now_s - offset.seconds - message.time)

    def _check_timeouts(self, received: bool, wanted: bool) -> None:
        now_s = time.monotonic()
        if received:
            if self._stale:
                log.warning("%s: back after %.0f s", self.endpoint, now_s - self._received_s)
            self._stale, self._received_s = False, now_s
        if wanted:
            self._wanted_s = now_s
        if self.stale and not self._stale:
            self._stale = True
            log.warning("%s", self._stale_line())
        if self.stale and now_s - self._connected_s > STALE_S:
            self._reconnect()
        if self._timeout_s is not None and now_s - self._wanted_s > self._timeout_s:
            if now_s - self._received_s > min(self._timeout_s, STALE_S):
                raise StaleError(self._stale_line())
            raise SilentError(self._silent_line())

    def _stale_line(self) -> str:
        silent_s = time.monotonic() - self._received_s
        old = "; earlier messages are stale" if self._received_s > self._opened_s else ""
        elsewhere = "is the device on, and is that its address?"
        why = self._failure or (RUNNING if is_local(self.endpoint) else elsewhere)
        return f"nothing came from {self.endpoint} for {silent_s:.3g} s{old}; {why}"

    def _silent_line(self) -> str:
        states = [f"{t.removeprefix(HEALTH)} {m.state}" for t, m in self._health.items()]
        return (
            f"{self.endpoint} is there, but published nothing on {' '.join(self.topics)} for "
            f"{self._timeout_s:g} s ({', '.join(sorted(states))})"
        )

    def _check_connection(self) -> None:
        """Learn from libzmq why nothing comes. Raises RefusedError."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise RefusedError(
                    f"authentication failed for {self.endpoint}: unknown key; on the device, "
                    "`emotion-edge keys list` shows the authorised ones, `keys add NAME` adds one"
                )
            self._failure = HANDSHAKE_FAILED if event & FAILURES else ""

    def close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        if self._waiter is not None:
            self._waiter.close()  # takes the descriptor from the event loop
        self._socket.close()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def drop_superseded(received: list[Received]) -> list[Received]:
    """Without states that are late and have a newer one: a reader in time gets everything."""
    newest = {(one.message.device, one.topic): one for one in received}
    return [
        one
        for one in received
        if one.age_s <= MAX_LAG_S
        or one is newest[one.message.device, one.topic]
        or TOPICS[one.topic].event
    ]


def subscribe(
    endpoint: str = LOCAL_ENDPOINT,
    topics: Iterable[str] = ("",),
    key: "str | Path | None" = None,
    timeout_s: float | None = None,
) -> Iterator[Message]:
    """Yield messages: the last value of each topic at once, then what is new.

    `topics`: prefixes ("health." is every service's). `key`: the file that `emotion-edge keys add`
    wrote; None for a plain endpoint. `timeout_s`: after this long without a message on these topics
    raise StaleError (nothing comes at all) or SilentError (the device publishes nothing on them),
    both TimeoutErrors; None waits for ever. Raises RefusedError where the device does not know the
    key, BusError where `endpoint` is no address, KeysError where the file is no key.
    """
    with Subscription(endpoint, topics, key, timeout_s) as device:
        while True:
            yield from (received.message for received in device.wait(_tick_s(timeout_s)))


async def subscribe_async(
    endpoint: str = LOCAL_ENDPOINT,
    topics: Iterable[str] = ("",),
    key: "str | Path | None" = None,
    timeout_s: float | None = None,
) -> AsyncIterator[Message]:
    """`subscribe` for `async for`. On Windows run it in an asyncio.SelectorEventLoop."""
    with Subscription(endpoint, topics, key, timeout_s) as device:
        while True:
            for received in await device.wait_async(_tick_s(timeout_s)):
                yield received.message


def _tick_s(timeout_s: float | None) -> float:
    return TICK_S if timeout_s is None else min(TICK_S, timeout_s)


def _make_socket(key: SubscriberKey | None) -> "zmq.Socket[bytes]":
    """A SUB that notices a dead connection within seconds, and never waits long for a new one."""
    socket = sockets.make_socket(zmq.SUB)
    for option, value in (
        (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
        (zmq.HEARTBEAT_TIMEOUT, DEAD_MS),
        (zmq.CONNECT_TIMEOUT, CONNECT_MS),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
    ):
        socket.setsockopt(option, value)
    _use(socket, key)
    return socket


def _use(socket: "zmq.Socket[bytes]", key: SubscriberKey | None) -> None:
    """Authenticate with this key, and trust this device, from the next connection on."""
    if key is None:
        socket.setsockopt(zmq.CURVE_SERVER, 0)  # libzmq's way back to a plain connection
        return
    socket.setsockopt(zmq.CURVE_SERVERKEY, key.server.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, key.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, key.secret.encode())
