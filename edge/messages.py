"""The words on the bus: one struct a message, and one table of topics.

This is the contract with other hosts (docs/contract.md). It knows no socket. New fields get
defaults; an incompatible change takes a new topic.
"""

from typing import Annotated, Literal

import msgspec

UNCERTAIN = "uncertain"
FACE_LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
VOICE_LABELS = (
    "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised",
)  # fmt: skip
EMOTION_LABELS = (*FACE_LABELS, "calm")
SERVICES = ("hub", "camera", "face", "audio", "fusion", "display")

Scores = dict[str, float]
Box = tuple[float, float, float, float]
Trigger = Literal["button", "key", "command"]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message carries. The publisher fills `device`, `seq` and `age_ms`."""

    v: Literal[1] = 1
    device: str = ""
    seq: int = 0
    """Counts up from 0, per publisher."""
    t_ns: int
    """CLOCK_MONOTONIC of the capture, ns; means nothing on another host."""
    time: float
    """Unix time of the capture, s."""
    age_ms: float = 0.0
    """From capture to publishing."""


class FaceResult(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    box: Box
    """[x, y, w, h] in px of the frame."""
    emotion: str
    confidence: Probability
    scores: Scores
    held: bool = False
    """Not seen in this frame: shown where it was last."""


class Face(Message, frozen=True, kw_only=True, tag="face"):
    frame_seq: int
    frame_size: tuple[int, int]
    """[w, h] px"""
    faces: list[FaceResult]
    inference_ms: float


class Recording(Message, frozen=True, kw_only=True, tag="recording"):
    phase: Literal["idle", "recording", "analysing"]
    elapsed_s: float = 0.0
    level_dbfs: float | None = None


class Audio(Message, frozen=True, kw_only=True, tag="audio"):
    trigger: Trigger
    duration_s: float
    speech: bool
    """False = nobody spoke, and then there is no emotion."""
    emotion: str | None = None
    confidence: Probability | None = None
    scores: Scores | None = None
    level_dbfs: float
    inference_ms: float


class Emotion(Message, frozen=True, kw_only=True, tag="emotion"):
    emotion: str
    confidence: Probability
    scores: Scores
    face_age_s: float | None = None
    """None = no face was used."""
    voice_age_s: float | None = None
    face_id: int | None = None


class Health(Message, frozen=True, kw_only=True, tag="health"):
    state: Literal["ok", "degraded", "failed"]
    detail: str = ""
    rate_hz: float
    """Frames, inferences or messages a second, whatever the service is there for."""
    dropped: int
    rss_mb: float
    uptime_s: float
    version: str


class Press(Message, frozen=True, kw_only=True, tag="press"):
    trigger: Trigger


class Preview(Message, frozen=True, kw_only=True, tag="preview"):
    frame_seq: int
    size: tuple[int, int]
    """[w, h] px of the small picture"""
    jpeg: bytes
    """In base64, as JSON has no bytes."""


class Topic(msgspec.Struct, frozen=True):
    """One line of the contract's table."""

    message: type[Message]
    publisher: str
    event: bool = False
    """True: never cached, never replayed."""
    local: bool = False
    """True: never sent to other hosts."""
    max_age_s: float | None = None
    """Older than this, a state says nothing any more."""


TOPICS: dict[str, Topic] = {
    "face": Topic(Face, "face", max_age_s=0.5),
    "recording": Topic(Recording, "audio"),
    "audio": Topic(Audio, "audio", max_age_s=30.0),
    "emotion": Topic(Emotion, "fusion"),
    **{f"health.{name}": Topic(Health, name, max_age_s=3.0) for name in SERVICES},
    "preview": Topic(Preview, "camera", max_age_s=5.0),
    "press": Topic(Press, "any", event=True, local=True),
}


class BadMessageError(ValueError):
    """Bytes that are no message of the contract."""


_decoders = {name: msgspec.json.Decoder(topic.message) for name, topic in TOPICS.items()}
encode = msgspec.json.Encoder().encode


def decode(topic: str, body: bytes) -> Message:
    """Read a message's JSON. Raises BadMessageError with one line that names the topic."""
    decoder = _decoders.get(topic)
    if decoder is None:
        raise BadMessageError(f"unknown topic {topic[:40]!r}")
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(f"{topic}: {error}") from error
