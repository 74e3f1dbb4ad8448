"""What the pages show: the newest message of each kind, less what has grown too old. Pure."""

import time
from collections.abc import Mapping

import msgspec

from edge.bus.messages import (
    NOBODY,
    OFF,
    SERVICES,
    TOPICS,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
)
from edge.language import load_language

MISSING_AFTER_S = 2.5
"""Two of a service's reports did not come."""
GRACE_S = 4.0
"""For the first report, after this process started."""
SHOWN = ("emotion", "audio", "recording")


class Problem(msgspec.Struct, frozen=True):
    """What is degraded or not there."""

    service: str
    state: str
    """degraded, failed or missing"""
    text: str
    """For people, in their language."""


class Board:
    """Keeps what came, and answers what holds now."""

    def __init__(self, language: str, optional: tuple[str, ...]) -> None:
        """`optional`: the optional services that are on."""
        self._language = load_language(language)
        self._services = (*SERVICES, *optional)
        self._last: dict[str, Message] = {}
        self._since_ns = time.monotonic_ns()
        self.viewers = 0

    def take(self, topic: str, message: Message) -> None:
        self._last[topic] = message

    def current(self, topic: str, now_ns: int) -> Message | None:
        """The newest message of a topic, while it holds."""
        message = self._last.get(topic)
        if message is None or not TOPICS[topic].is_current((now_ns - message.t_ns) / 1e9):
            return None
        return message

    def face(self, now_ns: int) -> FaceMessage | None:
        face = self.current("face", now_ns)
        return face if isinstance(face, FaceMessage) else None

    def emotion(self, now_ns: int) -> Emotion | None:
        """The fused emotion, while fusion runs."""
        emotion = self._last.get("emotion")
        if not isinstance(emotion, Emotion) or self.is_missing("fusion", now_ns):
            return None
        return emotion

    def health(self, service: str) -> HealthMessage | None:
        """Its last report, however old."""
        health = self._last.get(f"health.{service}")
        return health if isinstance(health, HealthMessage) else None

    def voice_age_s(self, now_ns: int) -> int | None:
        """Since the last recording, however long ago; None = there was none yet."""
        audio = self._last.get("audio")
        return None if audio is None else round(max(0, now_ns - audio.t_ns) / 1e9)

    def is_missing(self, service: str, now_ns: int) -> bool:
        """Its reports do not come (any more)."""
        health = self.health(service)
        if health is None:
            return now_ns - self._since_ns > GRACE_S * 1e9
        return now_ns - health.t_ns > MISSING_AFTER_S * 1e9

    def is_off(self, service: str) -> bool:
        """The settings turn its device off."""
        health = self.health(service)
        return health is not None and health.state == "ok" and health.detail == OFF

    def is_recording_data(self, now_ns: int) -> bool:
        """Results are being kept on the device, now."""
        health = self.health("recorder")
        is_on = health is not None and health.recording_data
        return is_on and not self.is_missing("recorder", now_ns)

    @property
    def services(self) -> tuple[str, ...]:
        """All that should run, and what else reports."""
        others = [t.removeprefix("health.") for t in self._last if t.startswith("health.")]
        return tuple(dict.fromkeys((*self._services, *others)))

    def problems(self, now_ns: int) -> list[Problem]:
        """What is missing and what is degraded. Without the hub nothing is known of the others."""
        missing = [name for name in self.services if self.is_missing(name, now_ns)]
        if "hub" in missing:
            missing = ["hub"]
        text = self._language
        problems = [
            Problem(name, "missing", text("status.not_running", services=text.service(name)))
            for name in missing
        ]
        return problems if missing == ["hub"] else problems + self._degraded(missing)

    def _degraded(self, missing: list[str]) -> list[Problem]:
        text = self._language
        found = []
        for name in self.services:
            health = self.health(name)
            if health is not None and health.state != "ok" and name not in missing:
                why = text.detail(health.detail) or text(f"state.{health.state}")
                found.append(Problem(name, health.state, f"{text.service(name)}: {why}"))
        return found

    def values(self, now_ns: int) -> Mapping[str, object]:
        """All that the live page shows but the picture; None = there is none now."""
        return {
            "emotion": self.emotion(now_ns),
            "label": label_of(self.emotion(now_ns)),
            "audio": self.current("audio", now_ns),
            "voice_age_s": self.voice_age_s(now_ns),
            "recording": None
            if self.is_missing("audio", now_ns)
            else self.current("recording", now_ns),
            "no_voice": self.is_off("audio"),
            "recording_data": self.is_recording_data(now_ns),
            "problems": self.problems(now_ns),
            "viewers": self.viewers,
        }


def label_of(emotion: Emotion | None) -> str:
    """A label, `uncertain`, or `nobody` where neither a face nor a voice is known."""
    if emotion is None:
        return ""
    is_empty = emotion.face_age_s is None and emotion.voice_age_s is None
    return NOBODY if is_empty else emotion.emotion


def published_s(message: Message) -> float:
    """When it was published, CLOCK_MONOTONIC: a voice's emotion holds on long after its capture."""
    return message.t_ns / 1e9 + message.age_ms / 1e3
