"""A snapshot of the bus: the newest message of each kind, less what has grown too old.

Pure: the moment is a field, so that a test can set it. Knows no socket, no clock and no pixel.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from edge.bus.messages import (
    OFF,
    SERVICES,
    TOPICS,
    AudioMessage,
    Emotion,
    FaceMessage,
    FaceResult,
    HealthMessage,
    Message,
    RecordingMessage,
)
from edge.language import Language, load_language
from edge.overlay.places import Places
from edge.overlay.timeline import Timeline

GRACE_S = 3.0
"""A service whose health never came is missing only after we have listened this long."""
INVITE_AFTER_S = 2.0
"""When nobody was there for so long, the screen invites."""
LOST_FRAMES, LOST_MIN_S, LOST_MAX_S = 3, 1.0, 10.0
"""A camera is lost after this many frames that did not come, but no sooner and no later."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message of each topic, and the moment at which they are looked at."""

    now_ns: int
    """CLOCK_MONOTONIC"""
    since_ns: int
    """When listening began, CLOCK_MONOTONIC."""
    face: FaceMessage | None = None
    audio: AudioMessage | None = None
    recording: RecordingMessage | None = None
    emotion: Emotion | None = None
    health: Mapping[str, HealthMessage] = {}
    """By service."""
    frame_t_ns: int | None = None
    """When the frame was captured, CLOCK_MONOTONIC; None = there is none yet."""
    rate_hz: float | None = None
    """Frames that arrive a second."""
    lag_ms: float | None = None
    """Usual age of a frame when it is on the screen."""
    recording_s: float = 2.0
    """How long a recording takes."""
    has_keys: bool = True
    """The screen has keys that can be pressed."""
    places: Places = msgspec.field(default_factory=Places)
    """Where labels and charts were drawn last; the same from snapshot to snapshot."""
    timeline: Timeline = msgspec.field(default_factory=Timeline)
    """The last minute; of all that is here the one thing that changes in place."""
    language: Language = msgspec.field(default_factory=load_language)
    notice: str = ""
    """A line of the user's own."""

    def with_message(self, topic: str, message: Message) -> "Snapshot":
        """A copy that holds this message."""
        if isinstance(message, FaceMessage):
            return msgspec.structs.replace(self, face=message)
        if isinstance(message, AudioMessage):
            return msgspec.structs.replace(self, audio=message)
        if isinstance(message, RecordingMessage):
            return msgspec.structs.replace(self, recording=message)
        if isinstance(message, Emotion):
            return msgspec.structs.replace(self, emotion=message)
        if isinstance(message, HealthMessage):
            service = topic.removeprefix("health.")
            return msgspec.structs.replace(self, health={**self.health, service: message})
        return self

    def age_s(self, t_ns: int) -> float:
        """From `t_ns` to this moment."""
        return max(0.0, (self.now_ns - t_ns) / 1e9)

    def _is_fresh(self, topic: str, message: Message | None) -> bool:
        return message is not None and TOPICS[topic].is_current(self.age_s(message.t_ns))

    @property
    def faces(self) -> list[FaceResult]:
        """The faces to draw: none when the last result is old or the camera is lost."""
        if self.face is None or not self._is_fresh("face", self.face) or self.camera_lost:
            return []
        return self.face.faces

    @property
    def people(self) -> list[tuple[str, int]]:
        """How many faces show what, the most frequent first."""
        return Counter(face.emotion for face in self.faces).most_common()

    @property
    def is_deserted(self) -> bool:
        """Nobody has been seen for a while, and somebody would be."""
        if self.face is None or not self._is_fresh("face", self.face) or self.camera_lost:
            return False
        seen_s = self.timeline.last_seen_s()
        alone_s = self.now_ns / 1e9 - (self.since_ns / 1e9 if seen_s is None else seen_s)
        return not self.face.faces and alone_s > INVITE_AFTER_S

    @property
    def has_button(self) -> bool:
        """The device has a button."""
        return self.recording is not None and self.recording.button

    def is_off(self, service: str) -> bool:
        """The settings turn the service's device off."""
        health = self.health.get(service)
        return health is not None and health.state == "ok" and health.detail == OFF

    @property
    def is_recording_data(self) -> bool:
        """Results are being kept, now."""
        health = self.health.get("recorder")
        return health is not None and health.recording_data and not self.is_missing("recorder")

    @property
    def viewers(self) -> int:
        """Browsers that show the live page now."""
        health = self.health.get("web")
        return 0 if health is None or self.is_missing("web") else health.viewers

    @property
    def voice(self) -> AudioMessage | None:
        """The last recording, while it is current."""
        return self.audio if self._is_fresh("audio", self.audio) else None

    @property
    def fused(self) -> Emotion | None:
        """The fused emotion, while fusion runs and has a face or a voice to go by."""
        if self.emotion is None or self.is_missing("fusion"):
            return None
        used = (self.emotion.face_age_s, self.emotion.voice_age_s)
        return None if used == (None, None) else self.emotion

    @property
    def phase(self) -> str:
        """What `audio` does: idle, waiting, recording or analysing; "" = it does not run."""
        if self.is_missing("audio") or self.recording is None:
            return ""
        return self.recording.phase

    @property
    def frame_age_s(self) -> float | None:
        return None if self.frame_t_ns is None else self.age_s(self.frame_t_ns)

    @property
    def camera_lost(self) -> bool:
        """There were frames, and now several in a row did not come."""
        if self.frame_age_s is None:
            return False
        several_s = LOST_FRAMES / self.rate_hz if self.rate_hz else LOST_MIN_S
        return self.frame_age_s > min(max(several_s, LOST_MIN_S), LOST_MAX_S)

    @property
    def camera_reason(self) -> str:
        """Why there is no frame, as far as is known."""
        if "camera" in self.missing:
            return self.language("camera.not_running")
        health = self.health.get("camera")
        if health is None or health.state == "ok" or self.is_missing("camera"):
            return ""
        return self.language.detail(health.detail)

    def is_missing(self, service: str) -> bool:
        """Its health has not come for longer than that may be old."""
        health = self.health.get(service)
        if health is None:
            return self.age_s(self.since_ns) > GRACE_S
        return not self._is_fresh(f"health.{service}", health)

    def is_degraded(self, service: str) -> bool:
        """It runs and reports a problem."""
        health = self.health.get(service)
        return health is not None and health.state != "ok" and not self.is_missing(service)

    @property
    def missing(self) -> list[str]:
        """The services that are not there. Without the hub nothing is known of the others."""
        known = dict.fromkeys((*SERVICES, *self.health))  # an optional one is, once it was received
        others = [name for name in known if name != "display" and self.is_missing(name)]
        return ["hub"] if "hub" in others else others

    @property
    def problems(self) -> list[str]:
        """What is missing or degraded, a short line each."""
        text, lines = self.language, []
        if self.missing:
            names = ", ".join(text.service(name) for name in self.missing)
            lines.append(text("status.not_running", services=names))
        if "hub" in self.missing:
            return lines
        for service, health in self.health.items():
            if health.state != "ok" and service != "display" and service not in self.missing:
                name = text.service(service)
                lines.append(f"{name}: {text.detail(health.detail) or text('state.degraded')}")
        return lines
