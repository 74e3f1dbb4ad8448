import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.messages import Emotion, FaceMessage, HealthMessage, Message, Press
from edge.bus.sockets import BusError
from edge.config import BusConfig, Config
from edge.services import hub
from tests.helpers import Listener, listening, publishing, running


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
def remote(with_hub: Config) -> Iterator[Listener]:
    with listening(with_hub.bus.bind) as listener:
        yield listener


def dropped(listener: Listener, count: int) -> bool:
    """Whether the hub comes to say that it dropped `count`."""
    wanted = lambda _, m: isinstance(m, HealthMessage) and m.dropped >= count  # noqa: E731
    return bool(listener.until(wanted))


def test_what_is_published_arrives_here_and_at_other_hosts(
    with_hub: Config, remote: Listener
) -> None:
    with listening(with_hub.endpoint("out")) as local, publishing(with_hub) as publisher:
        sent = publisher.publish("emotion", emotion())
        assert local.topic("emotion") == remote.topic("emotion") == sent


def test_a_new_subscriber_gets_the_last_value_at_once(with_hub: Config, remote: Listener) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("emotion", emotion("sad"))
        last = publisher.publish("emotion", emotion("happy"))
        remote.until(lambda _, m: m == last)
    with listening(with_hub.endpoint("out"), "emotion") as late:
        assert late.topic("emotion") == last


def test_a_replay_for_one_subscriber_is_no_news_to_another(
    with_hub: Config, remote: Listener
) -> None:
    with publishing(with_hub) as publisher:
        first = publisher.publish("emotion", emotion("sad"))
        remote.until(lambda _, m: m == first)
        with listening(with_hub.bus.bind, "emotion") as late:
            late.topic("emotion")
        second = publisher.publish("emotion", emotion("happy"))
        remote.until(lambda _, m: m == second)
    assert [m for t, m in remote.heard if t == "emotion"] == [first, second]


def test_an_event_is_never_replayed(with_hub: Config) -> None:
    with listening(with_hub.endpoint("out")) as local, publishing(with_hub) as publisher:
        local.topic("health.hub")
        publisher.publish("press", press())
        publisher.publish("emotion", emotion())
        local.topic("emotion")
        with listening(with_hub.endpoint("out")) as late:
            late.topic("emotion")
            late.topic("health.hub")
        assert "press" in {topic for topic, _ in local.heard}
        assert "press" not in {topic for topic, _ in late.heard}


def test_a_press_does_not_leave_the_device(with_hub: Config, remote: Listener) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("press", press())
        publisher.publish("emotion", emotion())
        remote.topic("emotion")
    assert "press" not in {topic for topic, _ in remote.heard}


def test_a_state_that_is_too_old_is_not_replayed(
    with_hub: Config, remote: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("face", face(time.monotonic_ns()))
        publisher.publish("emotion", emotion())
        remote.topic("emotion")
    topic = msgspec.structs.replace(hub.TOPICS["face"], max_age_s=0.0)
    monkeypatch.setitem(hub.TOPICS, "face", topic)
    with listening(with_hub.endpoint("out")) as late:
        late.topic("emotion")
        late.topic("health.hub")
    assert "face" not in {topic for topic, _ in late.heard}


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
    with_hub: Config, remote: Listener, parts: list[bytes]
) -> None:
    with publishing(with_hub) as publisher:
        publisher.socket.send_multipart(parts)
        sent = publisher.publish("emotion", emotion())
        assert remote.until(lambda _, m: m == sent)
        assert dropped(remote, 1)


def test_nothing_comes_in_through_the_door(with_hub: Config, remote: Listener) -> None:
    intruder = sockets.make_socket(zmq.XSUB)
    intruder.connect(with_hub.bus.bind)
    forged = emotion("angry")
    for parts in ([b"emotion", messages.encode(forged)], [b"\x02emotion"], [b"\x00"]):
        intruder.send_multipart(parts)
    with publishing(with_hub) as publisher:
        sent = publisher.publish("emotion", emotion())
        remote.until(lambda _, m: m == sent)
    intruder.close()
    assert [m for t, m in remote.heard if t == "emotion"] == [sent]


def test_a_busy_port_is_named_with_the_mend(
    with_hub: Config, remote: Listener, directory: Path
) -> None:
    remote.topic("health.hub")
    other = Config(bus=BusConfig(directory=str(directory / "other"), bind=with_hub.bus.bind))
    with (
        pytest.raises(BusError, match=r"in use; .* set bus\.bind") as caught,
        running(hub.run, other),
    ):
        pass
    assert with_hub.bus.bind in str(caught.value)


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


def test_what_was_held_up_on_its_way_is_dropped(with_hub: Config, remote: Listener) -> None:
    held_up = msgspec.structs.replace(emotion(), t_ns=time.monotonic_ns() - 5 * 10**9, age_ms=1.0)
    with publishing(with_hub) as publisher:
        publisher.socket.send_multipart([b"emotion", messages.encode(held_up)])
        sent = publisher.publish("emotion", emotion())
        remote.until(lambda _, m: m == sent)
    assert [m for t, m in remote.heard if t == "emotion"] == [sent]


def test_what_speaks_of_the_future_is_dropped(with_hub: Config, remote: Listener) -> None:
    with publishing(with_hub) as publisher:
        publisher.publish("face", face(time.monotonic_ns() + 3600 * 10**9))
        sent = publisher.publish("emotion", emotion())
        remote.until(lambda _, m: m == sent)
        assert dropped(remote, 1)
    assert "face" not in {topic for topic, _ in remote.heard}
