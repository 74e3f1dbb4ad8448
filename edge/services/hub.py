"""The hub process: what every process publishes goes in once and out to all who subscribed.

It keeps the last value of every state and replays it to a new subscriber. It forwards only what
the contract knows, and never an event twice. It has no network: other hosts reach the gateway.
"""

import logging
import time
from contextlib import closing

import zmq

from edge.bus import pubsub, sockets
from edge.bus.messages import BadMessageError, Message
from edge.bus.pubsub import LastValues, Publisher
from edge.config import Config
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

MAX_AHEAD_NS = 10**9


class Hub:
    """Forwards, remembers, replays."""

    def __init__(
        self, inlet: "zmq.Socket[bytes]", outlet: "zmq.Socket[bytes]", health: Health
    ) -> None:
        """`inlet`: XSUB of the publishers. `outlet`: XPUB of the subscribers."""
        self._inlet = inlet
        self._outlet = outlet
        self._health = health
        self._last = LastValues()

    def on_message(self) -> None:
        """Forward all that waits at the inlet."""
        while True:
            try:
                parts = self._inlet.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                topic, message = pubsub.unpack(parts)
                check_time(message)
            except BadMessageError as error:
                self._drop(error)
            else:
                self._health.count()
                self._last.keep(topic, parts)
                self._outlet.send_multipart(parts)

    def _drop(self, error: BadMessageError) -> None:
        if not self._health.dropped:
            log.warning("dropped a bad message: %s (more are only counted)", error)
        self._health.dropped += 1

    def on_subscription(self) -> None:
        prefixes = sockets.new_prefixes(sockets.requests(self._outlet))
        for parts in self._last.matching(prefixes):
            self._outlet.send_multipart(parts)


def check_time(message: Message) -> None:
    """Raise BadMessageError for a message that was delayed on its way, or is from the future."""
    if pubsub.is_late(message):
        raise BadMessageError(f"a {type(message).__name__} that was delayed on its way")
    if message.t_ns > time.monotonic_ns() + MAX_AHEAD_NS:
        raise BadMessageError(f"a {type(message).__name__} from the future")


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises BusError."""
    with (
        closing(sockets.make_socket(zmq.XSUB)) as inlet,
        closing(sockets.make_socket(zmq.XPUB)) as outlet,
    ):
        sockets.bind(inlet, config.endpoint("in"))
        inlet.send(sockets.SUBSCRIBE)
        outlet.setsockopt(zmq.XPUB_VERBOSE, 1)  # repeated subscriptions are reported, too
        sockets.bind(outlet, config.endpoint("out"))
        with closing(Publisher(config.endpoint("in"), config.device_name)) as publisher:
            health = Health(publisher, "hub", loop)
            hub = Hub(inlet, outlet, health)
            loop.add_reader(inlet, hub.on_message)
            loop.add_reader(outlet, hub.on_subscription)
            health.ready()
            loop.run()
