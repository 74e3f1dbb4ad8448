"""The gateway process: what other programs and other hosts may subscribe to.

It passes on what the hub publishes, but for local topics, and takes nothing in: an XPUB receives
subscriptions and nothing else. Whatever is sent to it costs this process at most a restart, and
never the bus.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

import zmq

from edge.bus import discovery, sockets
from edge.bus.authenticator import Bans
from edge.bus.keys import Keys, KeysError
from edge.bus.messages import TOPICS
from edge.bus.pubsub import LastValues, Publisher
from edge.bus.remote import Endpoint
from edge.config import Config, GatewayConfig, is_local
from edge.runtime.loop import Loop
from edge.services.health import PERIOD_S, Health

log = logging.getLogger(__name__)

REPLAY_PERIOD_S = 1.0
COLLECT_S = 0.02
"""A subscriber's topics are asked for one after the other, within this."""


class Gateway:
    """Forwards to the endpoints, remembers, replays."""

    def __init__(self, inlet: "zmq.Socket[bytes]", health: Health, loop: Loop) -> None:
        """`inlet`: SUB of the hub's outlet."""
        self._inlet = inlet
        self._health = health
        self._loop = loop
        self._asked: dict[Endpoint, set[bytes]] = {}
        self._replayed_s: dict[Endpoint, float] = {}
        self._last = LastValues()
        self.endpoints: list[Endpoint] = []

    def on_message(self) -> None:
        """Forward all that waits; the hub has checked it."""
        while True:
            try:
                parts = self._inlet.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            topic = parts[0].decode()
            if TOPICS[topic].local or not self._last.keep(topic, parts):
                continue
            self._health.count()
            for endpoint in self.endpoints:
                endpoint.send(parts)

    def on_subscription(self, endpoint: Endpoint) -> None:
        """Replay at once, but at most once a second: every subscriber receives every replay."""
        prefixes = sockets.new_prefixes(endpoint.requests())
        asked = self._asked.setdefault(endpoint, set())
        if prefixes and not asked:
            due_s = self._replayed_s.get(endpoint, 0.0) + REPLAY_PERIOD_S
            delay_s = max(COLLECT_S, due_s - time.monotonic())
            self._loop.call_later(delay_s, partial(self._replay, endpoint))
        asked |= prefixes

    def _replay(self, endpoint: Endpoint) -> None:
        self._replayed_s[endpoint] = time.monotonic()
        for parts in self._last.matching(self._asked.pop(endpoint)):
            endpoint.send(parts)


def remote_keys(config: Config) -> Keys:
    """The keys of the remote endpoint. Raises KeysError: without any it would be open to all."""
    keys = Keys(config.keys_directory)
    if not keys.exist():
        raise KeysError(
            f"{config.gateway.remote} would be open to the network and {keys.directory} holds no "
            'keys: run `emotion-edge keys add NAME`, or set gateway.remote = ""'
        )
    return keys


def announce(config: Config) -> Callable[[], None]:
    """Let other hosts find the remote endpoint; the answer ends it."""
    gateway = config.gateway
    if not gateway.remote or is_local(gateway.remote) or not gateway.announce:
        return lambda: None
    return discovery.announce(gateway.remote, config.device_name, not gateway.insecure)


def report(health: Health, address: str, why_not: str) -> None:
    """What other hosts need and this one does not is no reason to end."""
    if why_not:
        health.set_problem(address, why_not)
    else:
        health.clear_problem(address)


def describe(config: GatewayConfig, endpoints: list[Endpoint], health: Health) -> None:
    health.about = " and ".join(endpoint.about for endpoint in endpoints) or "no endpoint"
    if config.remote and config.insecure:
        health.set_problem("insecure", f"{config.remote} is open to everyone (gateway.insecure)")


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises BusError, KeysError."""
    wanted: dict[str, Keys | None] = {}
    if config.gateway.local:
        wanted[config.gateway.local] = None
    if config.gateway.remote:
        wanted[config.gateway.remote] = None if config.gateway.insecure else remote_keys(config)
    with ExitStack() as stack:
        inlet = stack.enter_context(closing(sockets.make_socket(zmq.SUB)))
        publisher = stack.enter_context(
            closing(Publisher(config.endpoint("in"), config.device_name))
        )
        health = Health(publisher, "gateway", loop)
        gateway = Gateway(inlet, health, loop)
        for address, keys in wanted.items():
            endpoint = Endpoint(
                address,
                keys,
                loop,
                gateway.on_subscription,
                partial(report, health, address),
                Bans(config.directory / "gateway.bans"),
            )
            gateway.endpoints.append(stack.enter_context(closing(endpoint)))
        sockets.connect(inlet, config.endpoint("out"))
        inlet.setsockopt(zmq.SUBSCRIBE, b"")
        loop.add_reader(inlet, gateway.on_message)
        loop.call_every(PERIOD_S, health.feed_watchdog)  # without a hub there is nothing to do
        describe(config.gateway, gateway.endpoints, health)
        stack.callback(announce(config))
        health.ready()
        loop.run()
