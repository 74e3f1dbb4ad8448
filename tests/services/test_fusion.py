import time
from collections.abc import Callable
from functools import partial

from edge.bus.messages import AudioMessage, Emotion, FaceMessage, FaceResult, Message
from edge.config import Config
from edge.services import fusion
from tests.support.harness import listening, publishing, running


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
