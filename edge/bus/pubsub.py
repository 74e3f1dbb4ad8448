"""Publish and subscribe: sockets, their options, encode and decode.

Messages go through the hub as two parts, [topic, JSON]. Nothing queues up: of a state, a slow
reader gets the newest. Frames have a room of their own (edge/bus/frames.py).
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
import zmq

from edge.bus import messages
from edge.bus.messages import TOPICS, BadMessageError, Message, UnknownTopicError
from edge.bus.sockets import (
    CONNECT_TIMEOUT_S,
    BusError,
    connect,
    make_socket,
)

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
K = TypeVar("K")
V = TypeVar("V")
MAX_DEVICES = 1000
"""Whose messages a subscriber remembers something of; then it forgets the longest silent one."""

MAX_PER_TURN = 1000
"""Messages; who sends them faster than they are read must not keep the reader for ever."""
LATE_MS = 1000.0


def remember(known: dict[K, V], key: K, value: V, limit: int) -> None:
    """Keep `value` as the newest of at most `limit`."""
    known.pop(key, None)
    known[key] = value
    if len(known) > limit:
        del known[next(iter(known))]


def age_ms(t_ns: int) -> float:
    """Milliseconds since `t_ns` of CLOCK_MONOTONIC, never negative."""
    return round(max(0.0, (time.monotonic_ns() - t_ns) / 1e6), 3)


def is_late(message: Message) -> bool:
    """Whether it was on its way for long, as when somebody on the way stood still.

    For messages of this host: `t_ns` plus `age_ms` is when it was sent.
    """
    return age_ms(message.t_ns) - message.age_ms > LATE_MS


def is_old_event(topic: str, message: Message) -> bool:
    """An event that was held up is no news: a press must not start a recording much later."""
    return TOPICS[topic].event and is_late(message)


class LastValues:
    """The last value of every state, for those who subscribe later."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[list[bytes], float]] = {}

    def keep(self, topic: str, parts: list[bytes]) -> bool:
        """Remember [topic, JSON] of a state; False where it is just what was kept: a replay."""
        if TOPICS[topic].event:
            return True
        last = self._last.get(topic)
        if last is not None and last[0] == parts:
            return False
        self._last[topic] = parts, time.monotonic()
        return True

    def matching(self, prefixes: Iterable[bytes]) -> Iterator[list[bytes]]:
        """What is current of the topics that begin so, once each."""
        wanted = tuple(prefixes)
        for topic, (parts, at_s) in self._last.items():
            age_s = time.monotonic() - at_s
            if topic.encode().startswith(wanted) and TOPICS[topic].is_current(age_s):
                yield parts


class Publisher:
    """Sends messages to the hub. One a process: it counts `seq`."""

    def __init__(self, endpoint: str, device: str) -> None:
        """`endpoint`: the hub's inlet. `device`: the name in every message."""
        self.socket = make_socket(zmq.PUB)
        connect(self.socket, endpoint)
        self._device = device
        self._seq = 0

    def publish(self, topic: str, message: Message) -> Message:
        """Stamp and send; returns what was sent. Never blocks; without a hub it is dropped."""
        stamped = msgspec.structs.replace(
            message, device=self._device, seq=self._seq, age_ms=age_ms(message.t_ns)
        )
        self._seq += 1
        self.socket.send_multipart([topic.encode(), messages.encode(stamped)])
        return stamped

    def close(self) -> None:
        self.socket.close()


def send_once(endpoint: str, device: str, topic: str, message: Message) -> None:
    """Connect, wait until the hub listens, send one message, leave. Raises BusError."""
    socket = make_socket(zmq.XPUB)
    try:
        connect(socket, endpoint)
        if not socket.poll(int(CONNECT_TIMEOUT_S * 1e3)):
            raise BusError(f"nothing answers at {endpoint}; is `emotion-edge run` running?")
        stamped = msgspec.structs.replace(message, device=device)
        socket.send_multipart([topic.encode(), messages.encode(stamped)])
    finally:
        socket.close(linger=int(CONNECT_TIMEOUT_S * 1e3))


class Subscriber:
    """Receives messages from the hub."""

    def __init__(
        self,
        endpoint: str,
        topics: Iterable[str],
        socket: "zmq.Socket[bytes] | None" = None,
        decode: Callable[[str, bytes], Message] = messages.decode,
    ) -> None:
        """`topics`: prefixes; "" is everything. `socket`: a SUB with options of its own.

        `decode`: of `messages.decoder`.
        """
        self._decode = decode
        self.socket = socket or make_socket(zmq.SUB)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        connect(self.socket, endpoint)
        self.bad = 0
        """How many messages could not be read."""
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def receive(self) -> list[tuple[str, Message]]:
        """What waits: every event, and a device's newest of each state. Never blocks."""
        events, states = [], {}
        for topic, message in self.receive_all():
            if TOPICS[topic].event:
                events.append((topic, message))
            else:
                states[message.device, topic] = message
        return [*events, *((topic, message) for (_, topic), message in states.items())]

    def receive_all(self) -> Iterator[tuple[str, Message]]:
        """What waits, in order, but for repeated last values. Never blocks."""
        for _ in range(MAX_PER_TURN):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                topic, message = unpack(parts, self._decode)
            except UnknownTopicError:  # of a newer version, or of a service that is optional
                continue
            except BadMessageError as error:
                self._warn_once(error)
                continue
            if not self._is_replay(topic, message) and not is_old_event(topic, message):
                yield topic, message

    def _is_replay(self, topic: str, message: Message) -> bool:
        """The hub repeats last values when anyone subscribes; only the first one is news."""
        source, key = (message.device, topic), (message.seq, message.t_ns)
        replay = self._seen.get(source) == key and not TOPICS[topic].event
        remember(self._seen, source, key, MAX_DEVICES * len(TOPICS))
        return replay

    def _warn_once(self, error: BadMessageError) -> None:
        if not self.bad:
            log.warning("ignored a bad message: %s (more are only counted)", error)
        self.bad += 1

    def close(self) -> None:
        self.socket.close()


def unpack(
    parts: list[bytes], decode: Callable[[str, bytes], Message] = messages.decode
) -> tuple[str, Message]:
    """[topic, JSON] to the topic's name and its message. Raises BadMessageError."""
    if len(parts) != 2:
        raise BadMessageError(f"{len(parts)} parts instead of [topic, JSON]")
    if parts[0].decode("utf-8", "replace") not in TOPICS:
        raise UnknownTopicError(f"unknown topic {parts[0][:40]!r}")
    topic = parts[0].decode()
    return topic, decode(topic, parts[1])
