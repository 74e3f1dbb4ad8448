"""The mqtt service between a real bus and a real Mosquitto."""

import signal
import time
from collections.abc import Callable

import msgspec
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.bus.messages import (
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
    Press,
    RecordingMessage,
)
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.pipeline.mqtt import identity
from edge.runtime.loop import Loop
from edge.services import mqtt
from tests.support.harness import PATIENCE_S, listening, running, wait_for
from tests.support.messages import EXAMPLES
from tests.support.mosquitto import (
    Client,
    Mosquitto,
    client,
    needs_mosquitto,
    with_broker,
)
from tests.support.sizes import FULL

pytestmark = needs_mosquitto


def now(kind: type[Message], **fields: object) -> Message:
    return kind(t_ns=time.monotonic_ns(), time=time.time(), **fields)  # type: ignore[call-arg]


def emotion(label: str, face_age_s: float | None = 0.1) -> Message:
    return now(Emotion, emotion=label, confidence=0.9, scores={label: 0.9}, face_age_s=face_age_s)


def voice(number: int = 0) -> Message:
    return now(AudioMessage, **{**EXAMPLES["audio"], "duration_s": float(number)})


def publish_until(
    bus: Publisher, topic: str, make: Callable[[], Message], condition: Callable[[], bool]
) -> None:
    """A service publishes again and again, too."""

    def is_so() -> bool:
        bus.publish(topic, make())
        return condition()

    wait_for(is_so, f"the {topic} arrived")


def test_a_device_is_announced_and_says_goodbye(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    config = with_broker(with_hub, broker)
    with running(mqtt.run, config):
        watcher.until("test/availability", lambda m: m.text == "online")
        told = watcher.until("/config")
        assert told.topic == f"homeassistant/device/test/{identity(config).device_id}/config"
        assert told["device"]["name"] == "test"  # type: ignore[index]
    watcher.until("test/availability", lambda m: m.text == "offline")


def test_states_are_retained_and_events_are_not(
    with_hub: Config, broker: Mosquitto, watcher: Client, bus: Publisher
) -> None:
    with running(mqtt.run, with_broker(with_hub, broker, scores_s=0.1)):
        watcher.until("test/availability")
        publish_until(bus, "emotion", lambda: emotion("happy"), lambda: bool(watcher.on("scores")))
        face = now(FaceMessage, **EXAMPLES["face"])
        publish_until(bus, "face", lambda: face, lambda: bool(watcher.on("faces")))
        idle = now(RecordingMessage, phase="idle")
        publish_until(bus, "recording", lambda: idle, lambda: bool(watcher.on("recording")))
        bus.publish("audio", voice())
        assert watcher.until("voice/event")["event_type"] == "voice"
        bus.publish("change", now(Change, **EXAMPLES["change"]))
        assert watcher.until("test/change")["event_type"] == "change"
        watcher.until("health/hub")
        with client(broker) as later:
            for name in ("availability", "emotion", "faces", "recording", "voice", "health/hub"):
                assert later.until(f"test/{name}").retained
            assert later.on("scores") == later.on("voice/event") == later.on("change") == []
    assert watcher.on("test/emotion")[0]["emotion"] == "happy"
    assert "scores" not in watcher.on("test/emotion")[0].text
    assert watcher.on("test/faces")[0]["count"] == 1


def test_a_press_over_the_broker_reaches_the_bus_and_one_at_a_time(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    config = with_broker(with_hub, broker, record=True)
    with listening(with_hub.endpoint("out"), "press") as presses, running(mqtt.run, config):
        watcher.until("test/availability", lambda m: m.text == "online")
        for _ in range(20):
            watcher.publish("emotion-edge/test/record", b"PRESS")
        press = presses.topic("press")
        assert isinstance(press, Press) and press.trigger == "command"
        presses.subscriber.socket.poll(300)
        assert presses.subscriber.receive() == []


def test_without_record_nothing_from_the_broker_records(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    with (
        listening(with_hub.endpoint("out"), "press") as presses,
        running(mqtt.run, with_broker(with_hub, broker)),
    ):
        watcher.until("test/availability", lambda m: m.text == "online")
        watcher.publish("emotion-edge/test/record", b"PRESS")
        assert not presses.subscriber.socket.poll(500)


def test_home_assistants_birth_is_answered_with_everything(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    with running(mqtt.run, with_broker(with_hub, broker)):
        watcher.until("health/mqtt")
        before = len(watcher.received)
        watcher.publish("homeassistant/status", b"online")
        for name in ("/config", "test/availability", "test/health/mqtt"):
            watcher.until(name, since=before)


def test_a_birth_that_is_published_a_thousand_times_is_answered_a_few_times(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    with running(mqtt.run, with_broker(with_hub, broker)):
        watcher.until("health/mqtt")
        before = len(watcher.on("/config"))
        for _ in range(1000):
            watcher.publish("homeassistant/status", b"online", qos=0)
        wait_for(lambda: len(watcher.on("/config")) > before, "the answer")
        time.sleep(1.0)  # for those that should not come
    assert len(watcher.on("/config")) < before + 10  # one in moments, however long a thousand take


def test_a_broker_that_lost_everything_gets_it_again(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    with running(mqtt.run, with_broker(with_hub, broker)):
        watcher.until("health/mqtt")
        broker.restart()
        with client(broker) as later:
            for name in ("/config", "test/availability", "test/health/mqtt"):
                later.until(name)


def test_recordings_of_a_time_without_broker_arrive_in_order_and_once(
    with_hub: Config, broker: Mosquitto, bus: Publisher
) -> None:
    with (
        running(mqtt.run, with_broker(with_hub, broker)),
        listening(with_hub.endpoint("out"), "health.mqtt", "audio") as listener,
    ):
        with client(broker) as early:
            early.until("health/hub")  # it subscribes, and it is connected
        broker.stop()
        listener.until(lambda t, m: t == "health.mqtt" and m.state == "degraded")  # type: ignore
        sent = [bus.publish("audio", voice(number)) for number in range(60)]
        listener.until(lambda t, m: t == "audio" and m.seq == sent[-1].seq)
        broker.start()
        with client(broker) as later:
            later.until("voice/event", lambda m: m["time"] == sent[-1].time)
            assert [m["time"] for m in later.on("voice/event")] == [m.time for m in sent]
            later.until("test/health/mqtt")
            assert len(later.on("test/voice")) == 1


def test_what_a_broker_that_stood_still_did_not_take_comes_in_order_and_once(
    with_hub: Config, broker: Mosquitto, bus: Publisher
) -> None:
    with (
        running(mqtt.run, with_broker(with_hub, broker)),
        listening(with_hub.endpoint("out"), "health.mqtt", "audio") as listener,
    ):
        with client(broker) as early:
            early.until("health/hub")  # it subscribes, and it is connected
        assert broker.process is not None
        broker.process.send_signal(signal.SIGSTOP)
        sent = [bus.publish("audio", voice(number)) for number in range(40)]
        listener.until(lambda t, m: t == "audio" and m.seq == sent[-1].seq)
        broker.stop()
        listener.until(lambda t, m: t == "health.mqtt" and m.state == "degraded")  # type: ignore
        sent += [bus.publish("audio", voice(number)) for number in range(40, 60)]
        listener.until(lambda t, m: t == "audio" and m.seq == sent[-1].seq)
        broker.start()
        with client(broker) as later:
            later.until("voice/event", lambda m: m["time"] == sent[-1].time)
            assert [m["time"] for m in later.on("voice/event")] == [m.time for m in sent]


def test_whoever_publishes_that_it_is_offline_is_contradicted(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    """As a second device of its name does that stops."""
    with running(mqtt.run, with_broker(with_hub, broker)):
        watcher.until("health/mqtt")
        before = len(watcher.received)
        for _ in range(100):
            watcher.publish("emotion-edge/test/availability", b"offline", retain=True, qos=0)
        watcher.until("test/availability", lambda m: m.text == "online", before)
        with client(broker) as later:
            assert later.until("test/availability").text == "online"
        online = [m for m in watcher.received[before:] if m.text == "online"]
        assert len(online) < 10  # one a second, however long a hundred take here


def test_a_second_device_of_the_same_name_is_reported(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    config = with_broker(with_hub, broker)
    with (
        running(mqtt.run, config),
        listening(with_hub.endpoint("out"), "health.mqtt") as listener,
    ):
        watcher.until("health/mqtt")
        other = msgspec.json.encode({"id": identity(config, "another machine").device_id})
        watcher.publish("emotion-edge/test/health/mqtt", other)

        def is_reported(_: str, message: Message) -> bool:
            return isinstance(message, HealthMessage) and "another device" in message.detail

        listener.until(is_reported)


@pytest.mark.skipif(not FULL, reason="takes 20 s: EMOTION_EDGE_FULL=1")
def test_two_devices_with_one_machine_id_are_reported_and_take_turns_slowly(
    with_hub: Config, broker: Mosquitto, watcher: Client
) -> None:
    """As a card and its copy: a broker ends the older one of two connections of a client id."""

    def copy(name: str) -> Callable[[Config, Loop], None]:
        named = msgspec.structs.replace(with_broker(with_hub, broker), device=name)
        return lambda _, loop: mqtt.serve(named, loop, identity(named, "copied"))

    with (
        listening(with_hub.endpoint("out"), "health.mqtt") as listener,
        running(copy("one"), with_hub),
        running(copy("two"), with_hub),
    ):
        listener.until(lambda _, m: "card a copy" in m.detail, 3 * PATIENCE_S)  # type: ignore
        since = len(watcher.received)
        time.sleep(8)
        assert len([m for m in watcher.received[since:] if m.text == "online"]) <= 4
