import time
from collections.abc import Iterator

import msgspec
import pytest

from edge.bus import messages
from edge.bus.messages import TOPICS, Emotion, FaceMessage, HealthMessage, Message, Press
from edge.config import Config
from edge.services import hub
from tests.support.harness import Listener, listening, publishing, running


def emotion(label: str = "happy") -> Emotion:
    return Emotion(
        t_ns=time.monotonic_ns(), time=time.time(), emotion=label, confidence=0.9, scores={}
    )


def press() -> Press:
    return Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="key")


def face(t_ns: int) -> FaceMessage:
    return FaceMessage(
        t_ns=t_ns, time=0.0, frame_seq=0, frame_size=(4, 4), faces=[], inference_ms=0.0
    )


@pytest.fixture
def listener(with_hub: Config) -> Iterator[Listener]:
    with listening(with_hub.endpoint("out")) as listener:
        yield listener


def dropped(listener: Listener, count: int) -> bool:
    """Whether the hub comes to say that it dropped `count`."""
    wanted = lambda _, m: isinstance(m, HealthMessage) and m.dropped >= count  # noqa: E731
    return bool(listener.until(wanted))


def test_a_new_subscriber_gets_the_last_value_at_once(with_hub: Config, listener: Listener) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("emotion", emotion("sad"))
        last = publisher.publish("emotion", emotion("happy"))
        listener.until(lambda _, m: m == last)
    with listening(with_hub.endpoint("out"), "emotion") as late:
        assert late.topic("emotion") == last


def test_a_replay_for_one_subscriber_is_no_news_to_another(
    with_hub: Config, listener: Listener
) -> None:
    with publishing(with_hub) as publisher:
        first = publisher.publish("emotion", emotion("sad"))
        listener.until(lambda _, m: m == first)
        with listening(with_hub.endpoint("out"), "emotion") as late:
            late.topic("emotion")
        second = publisher.publish("emotion", emotion("happy"))
        listener.until(lambda _, m: m == second)
    assert [m for t, m in listener.received if t == "emotion"] == [first, second]


def test_an_event_is_never_replayed(with_hub: Config) -> None:
    with listening(with_hub.endpoint("out")) as local, publishing(with_hub) as publisher:
        local.topic("health.hub")
        publisher.publish("press", press())
        publisher.publish("emotion", emotion())
        local.topic("emotion")
        with listening(with_hub.endpoint("out")) as late:
            late.topic("emotion")
            late.topic("health.hub")
        assert "press" in {topic for topic, _ in local.received}
        assert "press" not in {topic for topic, _ in late.received}


def test_a_state_that_is_too_old_is_not_replayed(
    with_hub: Config, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("face", face(time.monotonic_ns()))
        publisher.publish("emotion", emotion())
        listener.topic("emotion")
    topic = msgspec.structs.replace(TOPICS["face"], max_age_s=0.0)
    monkeypatch.setitem(TOPICS, "face", topic)
    with listening(with_hub.endpoint("out")) as late:
        late.topic("emotion")
        late.topic("health.hub")
    assert "face" not in {topic for topic, _ in late.received}


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"emotion"],
        [b"emotion", b"{}"],
        [b"emotion", b"{}", b""],
        [b"\xff\xfe", b"{}"],
        [b"weather", b"{}"],
        [b"emotion", b'{"type":"emotion","emotion":' + b"[" * 5000],
        [b"emotion", b'{"type":"emotion","z":' + b"[" * 5000 + b"]" * 5000 + b"}"],
    ],
)
def test_garbage_is_dropped_and_counted_and_hurts_nobody(
    with_hub: Config, listener: Listener, parts: list[bytes]
) -> None:
    with publishing(with_hub) as publisher:
        publisher.socket.send_multipart(parts)
        sent = publisher.publish("emotion", emotion())
        assert listener.until(lambda _, m: m == sent)
        assert dropped(listener, 1)


def test_publishers_and_subscribers_find_a_hub_that_came_back(config: Config) -> None:
    received: list[Message] = []
    with (
        running(hub.run, config),
        publishing(config) as publisher,
        listening(config.endpoint("out"), "emotion") as listener,
    ):
        publisher.publish("emotion", emotion("sad"))
        received.append(listener.topic("emotion"))
    with (
        listening(config.endpoint("out"), "emotion") as listener,
        running(hub.run, config),
        publishing(config) as publisher,
    ):
        publisher.publish("emotion", emotion("happy"))
        received.append(listener.topic("emotion"))
    assert [m.emotion for m in received if isinstance(m, Emotion)] == ["sad", "happy"]


def test_what_was_held_up_on_its_way_is_dropped(with_hub: Config, listener: Listener) -> None:
    held_up = msgspec.structs.replace(emotion(), t_ns=time.monotonic_ns() - 5 * 10**9, age_ms=1.0)
    with publishing(with_hub) as publisher:
        publisher.socket.send_multipart([b"emotion", messages.encode(held_up)])
        sent = publisher.publish("emotion", emotion())
        listener.until(lambda _, m: m == sent)
    assert [m for t, m in listener.received if t == "emotion"] == [sent]


def test_what_speaks_of_the_future_is_dropped(with_hub: Config, listener: Listener) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("face", face(time.monotonic_ns() + 3600 * 10**9))
        sent = publisher.publish("emotion", emotion())
        listener.until(lambda _, m: m == sent)
        assert dropped(listener, 1)
    assert "face" not in {topic for topic, _ in listener.received}
