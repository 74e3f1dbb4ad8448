"""The fusion process: face and voice weighed into one `emotion`, also where one is missing."""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TypeVar

from edge.bus.messages import TOPICS, AudioMessage, Emotion, FaceMessage, FaceResult, Message
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import Config
from edge.pipeline.fusion import rules_from_config
from edge.policy.decision import decide, rounded, valence_arousal
from edge.policy.fusion import Opinion, Rules, fuse
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

REFRESH_S = 0.5
"""An `emotion` comes at least this often, so that what has gone is known to be gone."""


class FusionService:
    """Keeps the last `face` and `audio`; every change makes an `emotion`."""

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
        self._published_s = 0.0

    def on_message(self) -> None:
        """Take what came and publish once."""
        received = self._subscriber.receive()
        for _, message in received:
            if isinstance(message, FaceMessage):
                self._face = message
            elif isinstance(message, AudioMessage) and message.speech:
                self._voice = message
        if received:
            self._publish()

    def on_tick(self) -> None:
        """Publish when nothing else made it so."""
        if time.monotonic() - self._published_s >= REFRESH_S:
            self._publish()

    def _publish(self) -> None:
        self._published_s = time.monotonic()
        now_ns = time.monotonic_ns()
        face = usable(self._face, "face", now_ns)
        voice = usable(self._voice, "audio", now_ns)
        result = nearest(face.faces) if face else None
        by_face = Opinion(result.scores, age_s(face, now_ns)) if face and result else None
        by_voice = Opinion(voice.scores, age_s(voice, now_ns)) if voice and voice.scores else None
        scores = rounded(fuse(by_face, by_voice, self._rules))
        emotion, confidence = decide(scores, self._threshold)
        valence, arousal = valence_arousal(scores if by_face or by_voice else {})
        t_ns, taken = newest_capture(face if by_face else None, voice if by_voice else None, now_ns)
        self._publisher.publish(
            "emotion",
            Emotion(
                t_ns=t_ns,
                time=taken,
                emotion=emotion,
                confidence=confidence,
                scores=scores,
                valence=valence,
                arousal=arousal,
                face_age_s=by_face.age_s if by_face else None,
                voice_age_s=by_voice.age_s if by_voice else None,
                face_id=result.id if result else None,
            ),
        )
        self._health.count()
        self._health.dropped = self._subscriber.bad
        self._health.ready()


def age_s(message: Message, now_ns: int) -> float:
    """Seconds from the capture to `now_ns`."""
    return round((now_ns - message.t_ns) / 1e9, 3)


def usable(message: M | None, topic: str, now_ns: int) -> M | None:
    """The message while it still holds, else None."""
    if message is None or not TOPICS[topic].is_current(age_s(message, now_ns)):
        return None
    return message


def nearest(faces: Sequence[FaceResult]) -> FaceResult | None:
    """The face that counts for the whole frame: the largest."""
    return max(faces, key=lambda face: face.box[2] * face.box[3], default=None)


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
        loop.call_every(REFRESH_S, service.on_tick)
        loop.run()
