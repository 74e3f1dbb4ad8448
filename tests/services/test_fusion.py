import time
from collections.abc import Callable
from functools import partial

from edge.bus.messages import (
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    FaceResult,
    Message,
)
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.services import fusion
from tests.support.harness import Listener, listening, publishing, running


def face(label: str | None, t_ns: int | None = None) -> FaceMessage:
    faces = []
    if label:
        scores = dict.fromkeys(("angry", "disgust", "fear", "neutral", "sad", "surprise"), 0.02)
        faces = [
            FaceResult(
                id=9,
                box=(0, 0, 90, 90),
                emotion=label,
                confidence=0.88,
                scores={**scores, label: 0.88},
            ),
            FaceResult(id=8, box=(0, 0, 50, 50), emotion="sad", confidence=1.0, scores={"sad": 1}),
        ]
    return FaceMessage(
        t_ns=t_ns or time.monotonic_ns(),
        time=time.time(),
        frame_seq=0,
        frame_size=(640, 480),
        faces=faces,
        inference_ms=1.0,
    )


def voice(label: str | None) -> AudioMessage:
    spoken = {"emotion": label, "confidence": 0.9, "scores": {label: 0.9, "neutral": 0.1}}
    return AudioMessage(
        t_ns=time.monotonic_ns(),
        time=time.time(),
        trigger="key",
        duration_s=2.0,
        speech=label is not None,
        level_dbfs=-20.0,
        inference_ms=1.0,
        **(spoken if label else {}),  # type: ignore[arg-type]
    )


def fused(config: Config, *makers: Callable[[], Message], used: tuple[bool, bool]) -> Emotion:
    """The first `emotion` that used (a face, a voice) as wanted after the messages."""
    with running(fusion.run, config), listening(config.endpoint("out")) as listener:
        listener.topic("emotion")
        with publishing(config) as publisher:
            for message in (make() for make in makers):
                publisher.publish("face" if isinstance(message, FaceMessage) else "audio", message)
            found = listener.until(
                lambda _, m: (
                    isinstance(m, Emotion)
                    and (m.face_age_s is not None, m.voice_age_s is not None) == used
                )
            )
    assert isinstance(found, Emotion)
    return found


def test_a_face_alone_makes_an_emotion_that_says_so(with_hub: Config) -> None:
    emotion = fused(with_hub, partial(face, "happy"), used=(True, False))
    assert (emotion.emotion, emotion.confidence, emotion.face_id) == ("happy", 0.88, 9)
    assert emotion.valence > 0.7


def test_a_voice_alone_makes_an_emotion_in_the_buss_words(with_hub: Config) -> None:
    emotion = fused(with_hub, partial(voice, "fearful"), used=(False, True))
    assert (emotion.emotion, emotion.face_id) == ("fear", None)


def test_a_calm_voice_lowers_the_arousal(with_hub: Config) -> None:
    alone = fused(with_hub, partial(face, "happy"), used=(True, False))
    both = fused(with_hub, partial(voice, "calm"), partial(face, "happy"), used=(True, True))
    assert both.arousal < alone.arousal


def test_both_together_are_used(with_hub: Config) -> None:
    emotion = fused(with_hub, partial(voice, "happy"), partial(face, "happy"), used=(True, True))
    assert emotion.emotion == "happy"
    assert emotion.confidence > 0.88


def test_an_old_face_is_not_used(with_hub: Config) -> None:
    old = time.monotonic_ns() - 10**9
    emotion = fused(
        with_hub, partial(face, "happy", old), partial(voice, "sad"), used=(False, True)
    )
    assert emotion.emotion == "sad"


def test_a_silent_recording_changes_nothing(with_hub: Config) -> None:
    with (
        running(fusion.run, with_hub),
        listening(with_hub.endpoint("out")) as listener,
        publishing(with_hub) as publisher,
    ):
        publisher.publish("audio", voice("sad"))
        listener.until(lambda _, m: isinstance(m, Emotion) and m.voice_age_s is not None)
        silence = publisher.publish("audio", voice(None))
        listener.until(lambda _, m: m == silence)
        after = listener.topic("emotion")
    assert isinstance(after, Emotion)
    assert (after.emotion, after.voice_age_s is not None) == ("sad", True)


def test_nothing_known_is_uncertain(with_hub: Config) -> None:
    emotion = fused(with_hub, partial(face, None), used=(False, False))
    assert emotion.emotion == "uncertain"
    assert (emotion.valence, emotion.arousal) == (0, 0)


def shown(
    publisher: Publisher,
    listener: Listener,
    label: str | None,
    until: Callable[[Message], bool] = lambda _: False,
    for_s: float = 15.0,
) -> list[Message]:
    """What is published while a face (None = none) is seen 30 times a second."""
    received: list[Message] = []
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s and not any(map(until, received)):
        publisher.publish("face", face(label))
        time.sleep(1 / 30)
        received += [message for _, message in listener.subscriber.receive_all()]
    return received


def test_an_emotion_comes_ten_times_a_second_at_most_and_once_while_nobody_is_there(
    with_hub: Config,
) -> None:
    with (
        running(fusion.run, with_hub),
        listening(with_hub.endpoint("out"), "emotion") as listener,
        publishing(with_hub) as publisher,
    ):
        listener.topic("emotion")
        shown(publisher, listener, "happy", for_s=0.5)
        somebody = shown(publisher, listener, "happy", for_s=3.0)
        shown(publisher, listener, None, for_s=0.5)
        nobody = shown(publisher, listener, None, for_s=3.0)
    assert 5 <= len(somebody) <= 30
    assert 1 <= len(nobody) <= 4


def test_a_blink_between_two_labels_is_neither_an_emotion_nor_a_change(with_hub: Config) -> None:
    with (
        running(fusion.run, with_hub),
        listening(with_hub.endpoint("out"), "emotion", "change") as listener,
        publishing(with_hub) as publisher,
    ):
        listener.topic("emotion")
        received = shown(publisher, listener, "happy", lambda m: isinstance(m, Change))
        publisher.publish("face", face("sad"))  # and at once
        received += shown(publisher, listener, "happy", for_s=0.5)
        received += shown(publisher, listener, "angry", lambda m: isinstance(m, Change))
    labels = [message.emotion for message in received if isinstance(message, Emotion)]
    assert "sad" not in labels
    assert labels[-1] == "angry"
    changes = [message for message in received if isinstance(message, Change)]
    assert [(c.previous, c.emotion) for c in changes] == [("nobody", "happy"), ("happy", "angry")]
    assert changes[1].lasted_s > 1
    assert changes[1].age_ms >= 1000


def test_nobody_there_is_a_change_too(with_hub: Config) -> None:
    with (
        running(fusion.run, with_hub),
        listening(with_hub.endpoint("out"), "emotion", "change") as listener,
        publishing(with_hub) as publisher,
    ):
        listener.topic("emotion")
        shown(publisher, listener, "happy", lambda m: isinstance(m, Change))
        change = listener.until(lambda _, m: isinstance(m, Change) and m.emotion == "nobody")
    assert isinstance(change, Change)
    assert change.previous == "happy"
    assert change.lasted_s > 1


def test_of_two_faces_of_one_size_the_same_one_goes_on_to_count() -> None:
    def of_side(number: int, side: float) -> FaceResult:
        return FaceResult(
            id=number, box=(0, 0, side, side), emotion="sad", confidence=1.0, scores={"sad": 1}
        )

    def nearest(one: float, other: float, known: int | None) -> int:
        found = fusion.nearest([of_side(1, one), of_side(2, other)], known)
        assert found
        return found.id

    assert nearest(90, 100, None) == 2
    assert nearest(95, 100, 1) == 1
    assert nearest(80, 100, 1) == 2


def test_another_voice_is_answered_at_once(with_hub: Config) -> None:
    with (
        running(fusion.run, with_hub),
        listening(with_hub.endpoint("out"), "emotion") as listener,
        publishing(with_hub) as publisher,
    ):
        listener.topic("emotion")
        publisher.publish("audio", voice("sad"))
        listener.until(lambda _, m: isinstance(m, Emotion) and m.emotion == "sad")
        publisher.publish("audio", voice("happy"))
        listener.until(lambda _, m: isinstance(m, Emotion) and m.scores["happy"] > 0.5)
        labels = [m.emotion for _, m in listener.received if isinstance(m, Emotion)]
    assert labels[-1] == "happy"
