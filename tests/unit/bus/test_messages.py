import json
from typing import Any

import msgspec
import pytest

from edge.bus import messages
from edge.bus.messages import TOPICS, BadMessageError, Message
from tests.support.messages import example


def subclasses(kind: type[Message]) -> set[type[Message]]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_message_type_round_trips() -> None:
    """Those that exist, not those that somebody thought of: a new type needs a topic."""
    examples = {topic: example(topic) for topic in TOPICS}
    of_the_contract = {kind for kind in subclasses(Message) if kind.__module__ == messages.__name__}
    assert of_the_contract - {Message} == set(map(type, examples.values()))
    for topic, message in examples.items():
        assert messages.decode(topic, messages.encode(message)) == message


@pytest.mark.parametrize("topic", TOPICS)
def test_every_message_carries_what_the_contract_promises(topic: str) -> None:
    sent = json.loads(messages.encode(example(topic)))
    assert {"type", "v", "device", "seq", "t_ns", "time", "age_ms"} <= set(sent)
    assert sent["type"] == topic.partition(".")[0]
    assert sent["v"] == 1


@pytest.mark.parametrize("topic", ["press", "audio"])
def test_a_trigger_from_a_later_version_is_no_error(topic: str) -> None:
    message = msgspec.structs.replace(example(topic), trigger="foot")
    assert messages.decode(topic, messages.encode(message)) == message


def test_a_field_from_a_later_version_is_no_error() -> None:
    body = messages.encode({**msgspec.to_builtins(example("press")), "colour": "red"})
    assert messages.decode("press", body) == example("press")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("face", b""),
        ("face", b"{}"),
        ("face", b"\xff\xfe"),
        ("face", messages.encode(example("press"))),
        ("press", messages.encode({"type": "press", "t_ns": 1, "time": 1, "trigger": 7})),
        ("weather", messages.encode(example("press"))),
        ("press", messages.encode({**msgspec.to_builtins(example("press")), "v": 2})),
    ],
)
def test_what_is_no_message_is_refused_with_the_topic_named(topic: str, body: bytes) -> None:
    with pytest.raises(BadMessageError, match=topic):
        messages.decode(topic, body)


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        ("press", {"t_ns": 10**400}),
        ("press", {"t_ns": -1}),
        ("face", {"frame_size": [0, 0]}),
        ("face", {"frame_size": [640, 10**9]}),
        ("emotion", {"emotion": "a" * 20_000}),
        ("emotion", {"scores": {"happy": 2.0}}),
        ("emotion", {"scores": {str(n): 0.0 for n in range(100)}}),
        ("health.camera", {"detail": "x" * 10_000}),
    ],
)
def test_absurd_values_are_refused(topic: str, change: dict[str, Any]) -> None:
    body = messages.encode({**msgspec.to_builtins(example(topic)), **change})
    with pytest.raises(BadMessageError, match=topic):
        messages.decode(topic, body)


@pytest.mark.parametrize("box", [(1e308, 0, 9, 9), (0, 0, 1e9, 9)])
def test_absurd_boxes_are_refused(box: tuple[float, ...]) -> None:
    face = msgspec.to_builtins(example("face"))
    face["faces"] = [{**face["faces"][0], "box": box}]
    with pytest.raises(BadMessageError, match="face"):
        messages.decode("face", messages.encode(face))
