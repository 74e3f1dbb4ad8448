"""What changed on the bus -> what is sent to an MQTT broker: some of it, when it means something.

A state is sent when it changed, at most once a second, and again after REFRESH_S, so that who
listens knows that it still holds. Some listeners store a row for each: 30 Hz never leaves.
"""

from collections import deque
from typing import Any, NamedTuple

import msgspec

from edge.bus.messages import (
    EMOTION_LABELS,
    NOBODY,
    UNCERTAIN,
    VOICE_LABELS,
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
    Preview,
    RecordingMessage,
)

NO_SPEECH = "no speech"
EMOTIONS = (*EMOTION_LABELS, UNCERTAIN, NOBODY)
VOICES = (*VOICE_LABELS, UNCERTAIN, NO_SPEECH)
MIN_PERIOD_S = 1.0
REFRESH_S = 30.0
EXPIRE_S = 90.0
"""Who has received nothing for so long takes a state for unknown."""
SILENT_S = 5.0
"""A state whose service has been silent for so long is not sent again."""
HOLD_S = 0.5
"""A label that lasts shorter than this is not sent."""
MAX_EVENTS = 100
MAX_CHANGE_AGE_S = 5.0
"""A change that could not be sent for so long is not sent: an automation would act too late."""


class Outgoing(NamedTuple):
    """A message to the broker; `name` is its topic below the device's."""

    name: str
    payload: bytes
    retain: bool = True
    qos: int = 0


class State:
    """One topic: the newest value, and what was sent last."""

    def __init__(
        self, hold_s: float = 0.0, period_s: float = MIN_PERIOD_S, lasting: bool = False
    ) -> None:
        """`hold_s`: how long a change must last. `period_s`: changes are sent at most so often.
        `lasting`: it holds until the next one."""
        self._hold_s = hold_s
        self._period_s = period_s
        self._lasting = lasting
        self._key: object = None
        self._sent_key: object = None
        self._since_s = self._taken_s = 0.0
        self._sent_s = -MIN_PERIOD_S
        self._fields: dict[str, Any] = {}

    def take(self, key: object, fields: dict[str, Any], now_s: float) -> None:
        """`key`: what counts as a change."""
        if key != self._key:
            self._key, self._since_s = key, now_s
        self._fields, self._taken_s = fields, now_s

    def is_due(self, now_s: float) -> bool:
        if self._key is None or not (self._lasting or now_s - self._taken_s < SILENT_S):
            return False
        if self._sent_key is None:
            return True
        quiet_s = now_s - self._sent_s
        if self._key != self._sent_key:
            return quiet_s >= self._period_s and now_s - self._since_s >= self._hold_s
        return quiet_s >= REFRESH_S and not self._lasting

    def payload(self, now_s: float) -> bytes:
        """To be sent now."""
        self._sent_key, self._sent_s = self._key, now_s
        return msgspec.json.encode(self._fields)

    def forget(self) -> None:
        """The broker may have lost what was sent."""
        self._sent_key = None


class Digest:
    """Takes messages of the bus, gives those for the broker. Times are monotonic, in s."""

    def __init__(self, scores_s: float = 0.0, picture_s: float = 0.0) -> None:
        """How often scores and pictures are sent at most, s; 0 = never."""
        self._scores_s = scores_s
        self._picture_s = picture_s
        self._states = {
            "emotion": State(HOLD_S),
            "faces": State(),
            "recording": State(period_s=0.0),  # its changes are a few for each press
            "voice": State(lasting=True),
        }
        self._scores = self._picture = b""
        self._scores_sent_s = self._picture_sent_s = float("-inf")
        self._voices: deque[Outgoing] = deque(maxlen=MAX_EVENTS)
        self._changes: deque[tuple[float, Outgoing]] = deque(maxlen=MAX_EVENTS)
        self.unknown_label = ""
        """The last one that the contract does not have; it is sent as uncertain."""

    def take(self, topic: str, message: Message, now_s: float) -> None:
        """A message of the bus."""
        if isinstance(message, Emotion):
            self._take_emotion(message, now_s)
        elif isinstance(message, FaceMessage):
            count = len(message.faces)
            self._states["faces"].take(count, {"count": count, "time": message.time}, now_s)
        elif isinstance(message, RecordingMessage):
            fields = {"phase": message.phase, "time": message.time}
            self._states["recording"].take(message.phase, fields, now_s)
        elif isinstance(message, AudioMessage):
            self._take_voice(message, now_s)
        elif isinstance(message, Change):
            self._take_change(message, now_s)
        elif isinstance(message, HealthMessage):
            self._take_health(topic.replace("health.", "health/", 1), message, now_s)
        elif isinstance(message, Preview):
            self._picture = message.jpeg

    def _take_emotion(self, message: Emotion, now_s: float) -> None:
        nobody = message.face_age_s is None and message.voice_age_s is None
        label = NOBODY if nobody else self._known(message.emotion, EMOTIONS)
        fields = {
            "emotion": label,
            "confidence": 0.0 if nobody else message.confidence,
            "valence": message.valence,
            "arousal": message.arousal,
            "time": message.time,
        }
        self._states["emotion"].take(label, fields, now_s)
        scores = {"emotion": label, "scores": message.scores, "time": message.time}
        self._scores = b"" if nobody else msgspec.json.encode(scores)

    def _take_voice(self, message: AudioMessage, now_s: float) -> None:
        label = self._known(message.emotion or UNCERTAIN, VOICES) if message.speech else NO_SPEECH
        fields = {
            "emotion": label,
            "confidence": message.confidence or 0.0,
            "level_dbfs": message.level_dbfs,
            "trigger": message.trigger,
            "time": message.time,
        }
        self._states["voice"].take(message.t_ns, fields, now_s)
        self._voices.append(event("voice/event", {"event_type": "voice", **fields}))

    def _take_change(self, message: Change, now_s: float) -> None:
        fields = {
            "event_type": "change",
            "previous": self._known(message.previous, EMOTIONS),
            "emotion": self._known(message.emotion, EMOTIONS),
            "lasted_s": message.lasted_s,
            "time": message.time,
        }
        self._changes.append((now_s, event("change", fields)))

    def _take_health(self, name: str, message: HealthMessage, now_s: float) -> None:
        fields = msgspec.to_builtins(message)
        for header in ("type", "v", "device", "seq", "t_ns", "age_ms"):
            fields.pop(header)
        well = message.state == "ok"  # and then the detail has figures that change every second
        key = (message.state, "" if well else message.detail)
        self._states.setdefault(name, State()).take(key, fields, now_s)

    def _known(self, label: str, labels: tuple[str, ...]) -> str:
        if label in labels:
            return label
        self.unknown_label = label
        return UNCERTAIN

    def next_event(self, now_s: float) -> Outgoing | None:
        """The event to send next, if there is one. It counts as sent."""
        while self._changes:
            taken_s, change = self._changes.popleft()
            if now_s - taken_s < MAX_CHANGE_AGE_S:
                return change
        return self._voices.popleft() if self._voices else None

    def due(self, now_s: float) -> list[Outgoing]:
        """The states and streams to send now. They count as sent."""
        states = [
            Outgoing(name, state.payload(now_s))
            for name, state in self._states.items()
            if state.is_due(now_s)
        ]
        return [*states, *self._due_streams(now_s)]

    def _due_streams(self, now_s: float) -> list[Outgoing]:
        """What nobody needs to have all of."""
        due = []
        if self._scores and 0 < self._scores_s <= now_s - self._scores_sent_s:
            due.append(Outgoing("scores", self._scores, retain=False))
            self._scores, self._scores_sent_s = b"", now_s
        if self._picture and 0 < self._picture_s <= now_s - self._picture_sent_s:
            due.append(Outgoing("picture", self._picture, retain=False))
            self._picture, self._picture_sent_s = b"", now_s
        return due

    def forget_sent(self) -> None:
        """All states are due again: the connection, or somebody who listens, is new."""
        for state in self._states.values():
            state.forget()


def event(name: str, fields: dict[str, Any]) -> Outgoing:
    return Outgoing(name, msgspec.json.encode(fields), retain=False, qos=1)
