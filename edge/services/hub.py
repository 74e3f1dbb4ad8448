"""The hub: what every process says goes in once and out to everyone, here and on other hosts.

It keeps the last value of every state and replays it to a new subscriber. It forwards only what
the contract knows, never lets an event or a local topic out twice or over the network door, and
takes nothing in through that door: an XPUB hears subscriptions and nothing else.
"""

import logging
import time
from typing import NamedTuple

import zmq

from edge import bus
from edge.config import Config
from edge.health import Health
from edge.loop import Loop
from edge.messages import TOPICS, BadMessageError

log = logging.getLogger(__name__)

SUBSCRIBE = 1
"""First byte of what an XPUB receives when someone subscribes (ZMTP 3.1)."""


class Cached(NamedTuple):
    parts: list[bytes]
    at_s: float
    """Monotonic time of arrival, s."""


class Hub:
    """Forwards, remembers, replays."""

    def __init__(
        self,
        inlet: "zmq.Socket[bytes]",
        local: "zmq.Socket[bytes]",
        remote: "zmq.Socket[bytes] | None",
        health: Health,
    ) -> None:
        """`inlet`: XSUB of the publishers. `local`, `remote`: XPUBs of the subscribers."""
        self._inlet = inlet
        self._local = local
        self._remote = remote
        self._health = health
        self._last: dict[str, Cached] = {}

    def on_message(self) -> None:
        """Forward all that waits at the inlet."""
        while True:
            try:
                parts = self._inlet.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                topic, _ = bus.unpack(parts)
            except BadMessageError as error:
                self._drop(error)
            else:
                self._forward(topic, parts)

    def _forward(self, topic: str, parts: list[bytes]) -> None:
        self._health.worked()
        if not TOPICS[topic].event:
            self._last[topic] = Cached(parts, time.monotonic())
        self._local.send_multipart(parts)
        if self._remote is not None and not TOPICS[topic].local:
            self._remote.send_multipart(parts)

    def _drop(self, error: BadMessageError) -> None:
        if not self._health.dropped:
            log.warning("dropped what is no message of ours: %s (more are only counted)", error)
        self._health.dropped += 1

    def on_local_subscriber(self) -> None:
        self._replay(self._local)

    def on_remote_subscriber(self) -> None:
        assert self._remote is not None
        self._replay(self._remote)

    def _replay(self, outlet: "zmq.Socket[bytes]") -> None:
        """Send the last values that the new subscriber asks for and that still say something."""
        while True:
            try:
                request = outlet.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if request[:1] != bytes([SUBSCRIBE]):
                continue
            for topic, cached in self._last.items():
                if topic.encode().startswith(request[1:]) and is_current(topic, cached.at_s):
                    outlet.send_multipart(cached.parts)


def is_current(topic: str, at_s: float) -> bool:
    """Whether a state that arrived at `at_s` (monotonic, s) is younger than its topic's max age."""
    max_age_s = TOPICS[topic].max_age_s
    return max_age_s is None or time.monotonic() - at_s <= max_age_s


def make_outlet(endpoint: str) -> "zmq.Socket[bytes]":
    """A bound XPUB that reports every subscription, repeated ones too. Raises BusError."""
    outlet = bus.make_socket(zmq.XPUB)
    outlet.setsockopt(zmq.XPUB_VERBOSE, 1)
    bus.bind(outlet, endpoint)
    return outlet


def run(config: Config, loop: Loop) -> None:
    inlet = bus.make_socket(zmq.XSUB)
    bus.bind(inlet, config.endpoint("in"))
    inlet.send(bytes([SUBSCRIBE]))
    local = make_outlet(config.endpoint("out"))
    remote = make_outlet(config.bus.bind) if config.bus.bind else None
    publisher = bus.Publisher(config.endpoint("in"), config.device_name)
    health = Health(publisher, "hub", loop)
    health.about = config.bus.bind or "local only"
    hub = Hub(inlet, local, remote, health)
    loop.watch(inlet, hub.on_message)
    loop.watch(local, hub.on_local_subscriber)
    if remote is not None:
        loop.watch(remote, hub.on_remote_subscriber)
    try:
        health.ready()
        loop.run()
    finally:
        publisher.close()
        for socket in filter(None, (inlet, local, remote)):
            socket.close()
