"""The hub: what every process says goes in once and out to everyone, here and on other hosts.

It keeps the last value of every state and replays it to a new subscriber. It forwards only what
the contract knows, never lets an event or a local topic out twice or over the network door, and
takes nothing in through that door: an XPUB hears subscriptions and nothing else.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import zmq

from edge.bus import discovery, pubsub, sockets
from edge.bus.keys import Keys
from edge.bus.messages import TOPICS, BadMessageError, Message
from edge.bus.remote import Door, is_local
from edge.bus.sockets import SubscriptionRequest
from edge.config import Config
from edge.errors import ConfigError
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

FUTURE_NS = 10**9


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
        door: Door | None,
        health: Health,
    ) -> None:
        """`inlet`: XSUB of the publishers. `local`: XPUB of this host, `door`: of the others."""
        self._inlet = inlet
        self._local = local
        self._door = door
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
                topic, message = pubsub.unpack(parts)
                check_time(message)
            except BadMessageError as error:
                self._drop(error)
            else:
                self._forward(topic, parts)

    def _forward(self, topic: str, parts: list[bytes]) -> None:
        self._health.count()
        if not TOPICS[topic].event:
            self._last[topic] = Cached(parts, time.monotonic())
        self._local.send_multipart(parts)
        if self._door is not None and not TOPICS[topic].local:
            self._door.socket.send_multipart(parts)

    def _drop(self, error: BadMessageError) -> None:
        if not self._health.dropped:
            log.warning("dropped what is no news of ours: %s (more are only counted)", error)
        self._health.dropped += 1

    def on_local_subscriber(self) -> None:
        self._replay(self._local, sockets.requests(self._local))

    def on_remote_subscriber(self) -> None:
        assert self._door is not None
        self._replay(self._door.socket, self._door.requests())

    def _replay(self, outlet: "zmq.Socket[bytes]", requests: Iterable[SubscriptionRequest]) -> None:
        """Send the last values that new subscribers ask for and that still say something.

        Once each, however often they ask.
        """
        wanted = tuple(request.prefix for request in requests if request.subscribes)
        for topic, cached in self._last.items():
            if topic.encode().startswith(wanted) and is_current(topic, cached.at_s):
                outlet.send_multipart(cached.parts)


def check_time(message: Message) -> None:
    """Raise BadMessageError for what was held up on its way, or speaks of the future."""
    if pubsub.is_late(message):
        raise BadMessageError(f"a {type(message).__name__} that was held up on its way")
    if message.t_ns > time.monotonic_ns() + FUTURE_NS:
        raise BadMessageError(f"a {type(message).__name__} from the future")


def is_current(topic: str, at_s: float) -> bool:
    """Whether a state that arrived at `at_s` (monotonic, s) is younger than its topic's max age."""
    max_age_s = TOPICS[topic].max_age_s
    return max_age_s is None or time.monotonic() - at_s <= max_age_s


def make_local(endpoint: str) -> "zmq.Socket[bytes]":
    """A bound XPUB that reports every subscription, repeated ones too. Raises BusError."""
    outlet = sockets.make_socket(zmq.XPUB)
    outlet.setsockopt(zmq.XPUB_VERBOSE, 1)
    sockets.bind(outlet, endpoint)
    return outlet


def make_door(config: Config, loop: Loop) -> Door | None:
    """The door that the settings ask for. Raises ConfigError where strangers could look in."""
    endpoint = config.bus.bind
    if not endpoint:
        return None
    if is_local(endpoint) or config.bus.insecure:
        return Door(endpoint, None, loop)
    keys = Keys(config.keys_directory)
    if not keys.exist():
        raise ConfigError(
            f"{endpoint} would be open to the network and {keys.directory} holds no keys: run "
            '`emotion-edge keys add NAME`, or set sockets.bind = "tcp://127.0.0.1:5556"'
        )
    return Door(endpoint, keys, loop)


def announce_door(config: Config) -> Callable[[], None]:
    """Let other hosts find a door that is open to them; the answer ends it."""
    endpoint = config.bus.bind
    if not endpoint or is_local(endpoint) or not config.bus.announce:
        return lambda: None
    return discovery.announce(endpoint, config.device_name, not config.bus.insecure)


def say_door(health: Health, why_not: str) -> None:
    """What other hosts need and this one does not is no reason to end."""
    if why_not:
        health.set_problem("address", why_not)
    else:
        health.clear_problem("address")


def run(config: Config, loop: Loop) -> None:
    door = make_door(config, loop)
    inlet = sockets.make_socket(zmq.XSUB)
    sockets.bind(inlet, config.endpoint("in"))
    inlet.send(sockets.SUBSCRIBE)
    local = make_local(config.endpoint("out"))
    publisher = pubsub.Publisher(config.endpoint("in"), config.device_name)
    health = Health(publisher, "hub", loop)
    hub = Hub(inlet, local, door, health)
    stop_announcing = announce_door(config)
    loop.add_reader(inlet, hub.on_message)
    loop.add_reader(local, hub.on_local_subscriber)
    try:
        if door is not None:
            door.open(hub.on_remote_subscriber, partial(say_door, health))
        health.about = "local only" if door is None else door.about
        if config.bus.insecure and door is not None and not is_local(config.bus.bind):
            health.set_problem("door", f"{config.bus.bind} is open to everyone (bus.insecure)")
        health.ready()
        loop.run()
    finally:
        stop_announcing()
        if door is not None:
            door.close()
        for socket in (publisher, inlet, local):
            socket.close()
