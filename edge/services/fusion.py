"""The fusion process: face and voice weighed into one `emotion`, also where one is missing."""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

from edge.bus.messages import (
    NOBODY,
    TOPICS,
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    FaceResult,
    Message,
)
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import Config
from edge.pipeline.fusion import rules_from_config
from edge.policy.debounce import ChangeDetector
from edge.policy.decision import SteadyLabel, rounded, valence_arousal
from edge.policy.fusion import Opinion, Rules, fuse
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

PERIOD_S = 0.125
"""Between two `emotion`s; another label comes at once, and twice a second at most."""
NOBODY_PERIOD_S = 1.0
"""Between two while there is neither a face nor a voice."""
TICK_S = 0.1
VOICE = -1
"""In place of the id of a face: a voice alone."""
LARGER = 1.25
"""Another face counts for all when its box has this many times the area."""


class Inputs(NamedTuple):
    """What is known at a moment, as far as it still holds."""

    face: FaceMessage | None
    result: FaceResult | None
    """The face that counts, of `face`."""
    voice: AudioMessage | None

    @property
    def is_empty(self) -> bool:
        return self.result is None and self.voice is None

    @property
    def subject(self) -> int | None:
        """What the emotion is of: a face's id, VOICE, or None."""
        if self.result is not None:
            return self.result.id
        return None if self.voice is None else VOICE


class FusionService:
    """Keeps the last `face` and `audio`, and makes an `emotion` of them."""

    def __init__(
        self,
        subscriber: Subscriber,
        publisher: Publisher,
        rules: Rules,
        threshold: float,
        health: Health,
    ) -> None:
        self._subscriber = subscriber
        self._publisher = publisher
        self._rules = rules
        self._threshold = threshold
        self._health = health
        self._face: FaceMessage | None = None
        self._voice: AudioMessage | None = None
        self._subject: int | None = None
        self._label = SteadyLabel(threshold)
        self._published: tuple[int | None, str] = (None, "")
        self._published_s = 0.0
        self._changes = ChangeDetector(time.monotonic())

    def on_message(self) -> None:
        """Take what came. Who pressed waits for an answer: a new voice decides at once."""
        for _, message in self._subscriber.receive():
            if isinstance(message, FaceMessage):
                self._face = message
            elif isinstance(message, AudioMessage) and message.speech:
                self._voice, self._label = message, SteadyLabel(self._threshold)
        self.update()

    def update(self) -> None:
        """Publish what is due. Called often, for time alone changes what holds."""
        now_ns = time.monotonic_ns()
        inputs = self._inputs(now_ns)
        emotion = self._fused(inputs, now_ns)
        if self._is_due(emotion, now_ns / 1e9):
            self._published, self._published_s = (self._subject, emotion.emotion), now_ns / 1e9
            self._publisher.publish("emotion", emotion)
            self._health.count()
            self._health.dropped = self._subscriber.bad
            self._health.ready()
        self._publish_change(NOBODY if inputs.is_empty else emotion.emotion, now_ns)

    def _inputs(self, now_ns: int) -> Inputs:
        face = usable(self._face, "face", now_ns)
        result = nearest(face.faces, self._subject) if face else None
        return Inputs(face, result, usable(self._voice, "audio", now_ns))

    def _fused(self, inputs: Inputs, now_ns: int) -> Emotion:
        face, result, voice = inputs
        if inputs.subject != self._subject:
            self._subject, self._label = inputs.subject, SteadyLabel(self._threshold)
        by_face = Opinion(result.scores, age_s(face, now_ns)) if face and result else None
        by_voice = Opinion(voice.scores, age_s(voice, now_ns)) if voice and voice.scores else None
        scores = rounded(fuse(by_face, by_voice, self._rules))
        label, confidence = self._label.update(now_ns / 1e9, scores)
        valence, arousal = valence_arousal({} if inputs.is_empty else scores)
        t_ns, taken = newest_capture(face if result else None, voice, now_ns)
        return Emotion(
            t_ns=t_ns,
            time=taken,
            emotion=label,
            confidence=confidence,
            scores=scores,
            valence=valence,
            arousal=arousal,
            face_age_s=by_face.age_s if by_face else None,
            voice_age_s=by_voice.age_s if by_voice else None,
            face_id=result.id if result else None,
        )

    def _is_due(self, emotion: Emotion, now_s: float) -> bool:
        """Another label of the same subject is due at once."""
        subject, label = self._published
        if subject == self._subject and label != emotion.emotion:
            return True
        period_s = PERIOD_S if subject != self._subject or subject is not None else NOBODY_PERIOD_S
        return now_s - self._published_s >= period_s

    def _publish_change(self, emotion: str, now_ns: int) -> None:
        change = self._changes.update(now_ns / 1e9, emotion)
        if change is None:
            return
        ago_s = now_ns / 1e9 - change.began_s
        self._publisher.publish(
            "change",
            Change(
                t_ns=now_ns - round(ago_s * 1e9),
                time=time.time() - ago_s,
                previous=change.previous,
                emotion=change.emotion,
                lasted_s=round(change.lasted_s, 3),
            ),
        )


def age_s(message: Message, now_ns: int) -> float:
    """Seconds from the capture to `now_ns`."""
    return round((now_ns - message.t_ns) / 1e9, 3)


def usable(message: M | None, topic: str, now_ns: int) -> M | None:
    """The message while it still holds, else None."""
    if message is None or not TOPICS[topic].is_current(age_s(message, now_ns)):
        return None
    return message


def nearest(faces: Sequence[FaceResult], known: int | None) -> FaceResult | None:
    """The face that counts for the whole frame: the largest.

    `known`: the id of the one that counted last; of faces of one size it goes on to count.
    """

    def weight(face: FaceResult) -> float:
        return face.box[2] * face.box[3] * (LARGER if face.id == known else 1.0)

    return max(faces, key=weight, default=None)


def newest_capture(
    face: FaceMessage | None, voice: AudioMessage | None, now_ns: int
) -> tuple[int, float]:
    """(t_ns, time) of the newest input that was used; now where there was none."""
    captures = [(message.t_ns, message.time) for message in (face, voice) if message]
    return max(captures, default=(now_ns, time.time()))


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ModelError."""
    serve(config, loop, rules_from_config(config))


def serve(config: Config, loop: Loop, rules: Rules) -> None:
    """Put the service together and let it work until the loop stops."""
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(config.endpoint("out"), ["face", "audio"])) as subscriber,
    ):
        health = Health(publisher, "fusion", loop)
        service = FusionService(subscriber, publisher, rules, config.fusion.threshold, health)
        loop.add_reader(subscriber.socket, service.on_message)
        loop.call_every(TICK_S, service.update)
        loop.run()
