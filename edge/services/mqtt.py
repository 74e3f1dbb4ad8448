"""The mqtt process, off unless `mqtt.broker` is set: results to an MQTT broker, presses from it.

What is sent is decided in edge.policy.digest, what Home Assistant is told in
edge.policy.homeassistant. While the broker is away nothing queues up but the last voice events.
"""

import random
import time
from contextlib import closing
from functools import partial
from itertools import islice

import msgspec

from edge.bus.messages import Message, Press, RecordingMessage
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import Config
from edge.devices.broker import Broker, Receipt
from edge.errors import ConfigError
from edge.pipeline import mqtt
from edge.pipeline.mqtt import Identity
from edge.policy.digest import EXPIRE_S, Digest, Outgoing
from edge.policy.homeassistant import BIRTH, OFFLINE, ONLINE, PRESS
from edge.runtime.loop import Handler, Loop, Timer
from edge.services.health import Health

RARE = ("recording", "audio", "change", "health.")
FREQUENT = ("face", "emotion")
"""Read TICK_S after they came: to wake up for each would be most of this process's work."""
TICK_S = 0.1
MIN_PRESS_S = 1.0
MAX_JITTER_S = 6.0
"""Devices answer Home Assistant's birth at a random moment within this, not all at once."""
CONTRADICT_S = 1.0
EVENTS_AT_ONCE = 10
MAX_CUT_SHORT = 2
"""After so many connections that ended with the announcement, it is too long for the broker."""
BROKER, LABELS, NAME, DISCOVERY = "broker", "labels", "name", "discovery"
OWN_HEALTH = "health/mqtt"


class MqttService:
    """Between the bus and a broker."""

    def __init__(
        self,
        config: Config,
        me: Identity,
        loop: Loop,
        broker: Broker,
        digest: Digest,
        publisher: Publisher,
        health: Health,
    ) -> None:
        self._me = me
        self._loop = loop
        self._broker = broker
        self._digest = digest
        self._publisher = publisher
        self._health = health
        self._discovery_topic = mqtt.discovery_topic(config, me)
        self._discovery = mqtt.discovery(config, me) if self._discovery_topic else b""
        self._birth_topic = birth_topic(config)
        self._may_record = config.mqtt.record
        self._availability = availability_topic(me)
        self._announcement: Timer | None = None
        self._contradiction: Timer | None = None
        self._namesake: Timer | None = None
        self._is_connected = False
        self._online: Receipt | None = None
        self._events: list[Receipt] = []
        self._cut_short = 0
        self._is_idle = True
        self._pressed_s = -MIN_PRESS_S
        health.about = f"{config.mqtt.broker}, {me.base}"

    def on_message(self, subscriber: Subscriber) -> None:
        """Take what came, and send what follows from it."""
        for topic, message in subscriber.receive_all():  # each recording is an event, too
            self._take(topic, message)
        self._health.dropped += subscriber.bad
        subscriber.bad = 0
        self._send_due()

    def _take(self, topic: str, message: Message) -> None:
        if isinstance(message, RecordingMessage):
            self._is_idle = message.phase == "idle"
        self._digest.take(topic, message, time.monotonic())
        if unknown := self._digest.unknown_label:
            self._health.set_problem(LABELS, f"label {unknown!r} is not known; sent as uncertain")

    def _send_due(self) -> None:
        self._health.feed_watchdog()
        if self._is_connected:
            self._send_events()
            for outgoing in self._digest.due(time.monotonic()):
                self._send(outgoing)

    def _send_events(self) -> None:
        """A few at a time: what the broker did not acknowledge comes again before all others."""
        if all(event.is_acknowledged or event.is_lost for event in self._events):
            waiting = iter(partial(self._digest.next_event, time.monotonic()), None)
            self._events = [self._send(event) for event in islice(waiting, EVENTS_AT_ONCE)]

    def _send(self, outgoing: Outgoing) -> Receipt:
        name, payload, retain, qos = outgoing
        if name == OWN_HEALTH:
            payload = with_id(payload, self._me.device_id)
        self._health.count()
        return self._broker.publish(f"{self._me.base}/{name}", payload, retain, qos)

    def on_connect(self) -> None:
        """Publish everything: the broker may have lost what it kept."""
        self._is_connected = True
        self._health.clear_problem(BROKER)
        self._announce()

    def _announce(self) -> None:
        """What Home Assistant is told, then `online`, then all states."""
        self._announcement = None
        if not self._is_connected:
            return
        if self._discovery and self._cut_short < MAX_CUT_SHORT:
            self._broker.publish(self._discovery_topic, self._discovery, True, 0)
        self._publish_online()  # once it is acknowledged, so is what came before
        self._digest.forget_sent()
        self._send_due()

    def _publish_online(self) -> None:
        self._contradiction = None
        if self._is_connected:
            self._online = self._broker.publish(self._availability, ONLINE.encode(), True, 1)

    def on_failure(self, why: str) -> None:
        """There is no connection, and it is tried again."""
        if self._is_connected:
            is_accepted = self._online is not None and self._online.is_acknowledged
            self._cut_short = 0 if is_accepted else self._cut_short + 1
        self._is_connected = False
        self._health.set_problem(BROKER, why)
        if self._cut_short >= MAX_CUT_SHORT and self._discovery:
            size = f"{len(self._discovery) / 1000:.1f} kB"
            self._health.set_problem(DISCOVERY, f"not announced: the broker refuses {size}")

    def on_received(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message of the broker. One that it kept from before is no news."""
        if retained:
            self._health.dropped += topic.endswith("/record")
        elif topic == self._birth_topic:
            self._on_birth(payload)
        elif topic == f"{self._me.base}/record" and self._may_record:  # a broker may send anything
            self._press(payload)
        elif topic == f"{self._me.base}/{OWN_HEALTH}":
            self._check_id(payload)
        elif topic == self._availability and payload != ONLINE.encode():
            self._contradict()

    def _on_birth(self, payload: bytes) -> None:
        """One answer, however often it is published: anyone may."""
        if payload == BIRTH.encode() and self._announcement is None:
            self._cut_short = 0
            self._health.clear_problem(DISCOVERY)
            delay_s = random.uniform(0, MAX_JITTER_S)
            self._announcement = self._loop.call_later(delay_s, self._announce)

    def _contradict(self) -> None:
        """We are there, whoever published something else: a device of our name that went, say."""
        if self._contradiction is None:
            self._contradiction = self._loop.call_later(CONTRADICT_S, self._publish_online)

    def _press(self, payload: bytes) -> None:
        """Record, if nothing is being recorded and the payload is the one that is agreed."""
        now_s = time.monotonic()
        is_early = not self._is_idle or now_s - self._pressed_s < MIN_PRESS_S
        if payload != PRESS.encode() or is_early:
            self._health.dropped += 1
            return
        self._pressed_s = now_s
        press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
        self._publisher.publish("press", press)

    def _check_id(self, payload: bytes) -> None:
        """Whether what comes back on our own topic is from us."""
        if id_of(payload) in ("", self._me.device_id):
            return
        name = self._me.base.rpartition("/")[2]
        self._health.set_problem(NAME, f"another device is called {name} here; set device")
        if self._namesake is not None:
            self._namesake.cancel()
        forget = partial(self._health.clear_problem, NAME)
        self._namesake = self._loop.call_later(EXPIRE_S, forget)


def birth_topic(config: Config) -> str:
    """Where Home Assistant publishes that it has started; "" where it is told nothing."""
    return f"{config.mqtt.discovery}/status" if config.mqtt.discovery else ""


def availability_topic(me: Identity) -> str:
    return f"{me.base}/availability"


def with_id(payload: bytes, device_id: str) -> bytes:
    return msgspec.json.encode({"id": device_id, **msgspec.json.decode(payload)})


def id_of(payload: bytes) -> str:
    """What `with_id` put there; "" for anything else."""
    try:
        return str(msgspec.json.decode(payload, type=dict[str, object]).get("id", ""))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def topics_of(config: Config, me: Identity) -> list[str]:
    """What is received from the broker."""
    wanted = [birth_topic(config), availability_topic(me), f"{me.base}/{OWN_HEALTH}"]
    return [*filter(None, wanted), *([f"{me.base}/record"] if config.mqtt.record else [])]


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ConfigError."""
    serve(config, loop, mqtt.identity(config))


def serve(config: Config, loop: Loop, me: Identity) -> None:
    """Put the service together and let it work until the loop stops."""
    if config.mqtt.picture_s and not config.camera.preview_hz:
        raise ConfigError("mqtt.picture_s needs a preview: set camera.preview_hz, to 1 say")
    offline = availability_topic(me), OFFLINE.encode()
    broker = Broker(mqtt.account(config, me.device_id), offline, topics_of(config, me))
    frequent = (*FREQUENT, *(["preview"] if config.mqtt.picture_s else []))
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(config.endpoint("out"), RARE)) as rare,
        closing(Subscriber(config.endpoint("out"), frequent)) as often,
    ):
        health = Health(publisher, "mqtt", loop)
        digest = Digest(config.mqtt.scores_s, config.mqtt.picture_s)
        service = MqttService(config, me, loop, broker, digest, publisher, health)
        loop.add_reader(rare.socket, partial(service.on_message, rare))
        loop.call_every(TICK_S, partial(service.on_message, often))
        broker.start(
            partial(in_loop, loop, service.on_connect),
            lambda why: in_loop(loop, partial(service.on_failure, why)),
            lambda *received: in_loop(loop, partial(service.on_received, *received)),
        )
        loop.on_stop(partial(broker.close, *offline))
        health.ready()
        loop.run()


def in_loop(loop: Loop, handler: Handler) -> None:
    """Called on the broker's thread."""
    loop.call_soon_threadsafe(handler)
