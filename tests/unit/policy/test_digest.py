"""What an hour on the bus becomes at a broker, without a socket and without a clock."""

from typing import Any

import msgspec
import pytest

from edge.bus.messages import EMOTION_LABELS, NOBODY, UNCERTAIN, VOICE_LABELS, Message
from edge.policy.digest import (
    EMOTIONS,
    HOLD_S,
    MAX_CHANGE_AGE_S,
    MAX_EVENTS,
    REFRESH_S,
    SILENT_S,
    VOICES,
    Digest,
    Outgoing,
)
from tests.support.messages import example


def fields(sent: Outgoing) -> dict[str, Any]:
    return msgspec.json.decode(sent.payload)


def message(topic: str, **changes: Any) -> Message:
    return msgspec.structs.replace(example(topic), **changes)


def run(digest: Digest, at: dict[float, Message], topic: str, until_s: float) -> list[tuple]:
    """(time, what was sent on the topic) where the bus repeats each message every 0.1 s."""
    sent, current, tick = [], None, 0
    while (now_s := tick / 10) <= until_s:
        current = at.get(now_s, current)
        if current is not None:
            digest.take(topic, current, now_s)
        sent += [(now_s, one) for one in digest.due(now_s) if one.name == topic]
        tick += 1
    return sent


def events_of(digest: Digest, now_s: float) -> list[Outgoing]:
    """All that wait."""
    return [*iter(lambda: digest.next_event(now_s), None)]


def test_the_options_are_the_contracts_labels() -> None:
    assert {*EMOTIONS} == {*EMOTION_LABELS, UNCERTAIN, NOBODY}
    assert {*VOICES} == {*VOICE_LABELS, UNCERTAIN, "no speech"}


def test_an_hour_of_one_calm_face_is_few_messages() -> None:
    digest, sent = Digest(scores_s=10.0), []
    health = message("health.face")
    for tick in range(36_000):
        now_s = tick / 10
        confidence = 0.6 + 0.1 * (tick % 3)
        digest.take("emotion", message("emotion", confidence=confidence), now_s)
        digest.take("face", example("face"), now_s)
        for name in ("hub", "camera", "face", "audio", "fusion", "display", "gateway", "mqtt"):
            digest.take(f"health.{name}", msgspec.structs.replace(health, detail=f"{tick}"), now_s)
        sent += digest.due(now_s)
    assert len([one for one in sent if one.name == "emotion"]) <= 300
    assert len(sent) <= 3600


def test_a_label_is_sent_once_it_has_lasted() -> None:
    happy, sad = message("emotion", emotion="happy"), message("emotion", emotion="sad")
    sent = run(Digest(), {0.0: happy, 5.0: sad}, "emotion", 8.0)
    assert [fields(one)["emotion"] for _, one in sent] == ["happy", "sad"]
    assert sent[1][0] == pytest.approx(5.0 + HOLD_S, abs=0.11)


def test_a_label_that_comes_and_goes_is_not_sent() -> None:
    happy, sad = message("emotion", emotion="happy"), message("emotion", emotion="sad")
    sent = run(Digest(), {0.0: happy, 5.0: sad, 5.3: happy}, "emotion", 8.0)
    assert [fields(one)["emotion"] for _, one in sent] == ["happy"]


def test_every_phase_of_a_recording_is_sent_at_once() -> None:
    phases = {0.0: "idle", 0.1: "recording", 2.1: "analysing", 2.2: "idle"}
    messages = {at_s: message("recording", phase=phase) for at_s, phase in phases.items()}
    sent = run(Digest(), messages, "recording", 3.0)
    assert [(at_s, fields(one)["phase"]) for at_s, one in sent] == [*phases.items()]


def test_without_face_and_voice_it_is_nobody() -> None:
    nobody = message("emotion", face_age_s=None, voice_age_s=None)
    ((_, sent),) = run(Digest(), {0.0: nobody}, "emotion", 1.0)
    assert fields(sent)["emotion"] == NOBODY


def test_a_state_is_refreshed_while_its_service_publishes_it_and_not_longer() -> None:
    digest = Digest()
    digest.take("emotion", example("emotion"), 0.0)
    assert len(digest.due(0.0)) == 1
    digest.take("emotion", example("emotion"), REFRESH_S)
    assert len(digest.due(REFRESH_S)) == 1
    assert digest.due(2 * REFRESH_S + SILENT_S) == []


def test_after_a_new_connection_each_state_is_sent_once() -> None:
    digest = Digest()
    for topic in ("emotion", "face", "recording", "audio", "health.hub"):
        digest.take(topic, example(topic), 0.0)
    first = {one.name for one in digest.due(0.0)}
    assert digest.next_event(0.0) is not None and digest.next_event(0.0) is None
    assert digest.due(0.1) == []
    digest.forget_sent()
    again = [one.name for one in digest.due(0.2)]
    assert {*again} == first and len(again) == len({*again})
    assert digest.due(0.3) == [] and digest.next_event(0.3) is None


def test_the_last_recordings_are_kept_in_order() -> None:
    digest = Digest()
    for number in range(MAX_EVENTS + 20):
        digest.take("audio", message("audio", time=float(number)), float(number))
    events = events_of(digest, 1e6)
    assert [fields(one)["time"] for one in events] == list(range(20, MAX_EVENTS + 20))
    assert {(one.retain, one.qos) for one in events} == {(False, 1)}


def test_a_clock_that_is_set_back_an_hour_loses_nothing() -> None:
    digest, sent = Digest(), []
    for number, clock in enumerate((7200.0, 3600.0)):
        for topic in ("audio", "change", "face"):
            digest.take(topic, message(topic, t_ns=number, time=clock), 10.0 * number)
        digest.take("emotion", message("emotion", emotion=EMOTIONS[number]), 10.0 * number)
        sent += events_of(digest, 10.0 * number)
        sent += [*digest.due(10.0 * number), *digest.due(10.0 * number + HOLD_S)]
    names = [one.name for one in sent]
    for name in ("change", "voice/event", "voice", "emotion"):
        assert names.count(name) == 2, name


def test_a_change_is_an_event_that_is_sent_soon_or_never() -> None:
    digest = Digest()
    digest.take("change", example("change"), 0.0)
    (sent,) = events_of(digest, MAX_CHANGE_AGE_S - 0.1)
    assert (sent.name, sent.retain, fields(sent)["event_type"]) == ("change", False, "change")
    assert {"previous", "emotion", "lasted_s", "time"} <= {*fields(sent)}
    digest.take("change", example("change"), 10.0)
    assert events_of(digest, 10.0 + MAX_CHANGE_AGE_S) == []


def test_a_change_overtakes_recordings_that_wait() -> None:
    digest = Digest()
    for topic in ("audio", "audio", "change"):
        digest.take(topic, example(topic), 0.0)
    names = [one.name for one in events_of(digest, 0.0)]
    assert names == ["change", "voice/event", "voice/event"]


def test_a_label_that_is_not_among_the_options_is_sent_as_uncertain_and_named() -> None:
    digest = Digest()
    digest.take("audio", message("audio", emotion="contempt"), 0.0)
    sent = [*digest.due(0.0), *events_of(digest, 0.0)]
    assert [fields(one)["emotion"] for one in sent] == [UNCERTAIN, UNCERTAIN]
    assert digest.unknown_label == "contempt"


def test_scores_and_pictures_come_at_most_so_often_and_are_never_retained() -> None:
    digest, sent = Digest(scores_s=10.0, picture_s=5.0), []
    for now_s in range(20):
        digest.take("emotion", example("emotion"), float(now_s))
        digest.take("preview", example("preview"), float(now_s))
        sent += digest.due(float(now_s))
    scores = [one for one in sent if one.name == "scores"]
    pictures = [one for one in sent if one.name == "picture"]
    assert (len(scores), len(pictures)) == (2, 4)
    assert not any(one.retain for one in (*scores, *pictures))
    assert pictures[0].payload == example("preview").jpeg  # type: ignore[attr-defined]
