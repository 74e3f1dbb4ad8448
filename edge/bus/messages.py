"""The words on the bus: one struct a message, and one table of topics.

This is the contract with other hosts (docs/contract.md). It knows no socket. New fields get
defaults; an incompatible change takes a new topic.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeVar

import msgspec

UNCERTAIN = "uncertain"
NOBODY = "nobody"
OFF = "off"
"""`detail` of a service whose device the settings turn off."""
FACE_LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
VOICE_LABELS = (
    "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised",
)  # fmt: skip
EMOTION_LABELS = (*FACE_LABELS, "calm")
SERVICES = ("hub", "camera", "face", "audio", "fusion", "display", "gateway")
"""Those that always run."""
OPTIONAL_SERVICES = ("mqtt", "web", "recorder")
"""Those that are off until their section of the settings names something."""

MAX_FACES = 64
MAX_CHARACTERS = 200
MAX_NS = 2**63 - 1

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_NS)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_NS)]
Line = Annotated[str, msgspec.Meta(max_length=MAX_CHARACTERS)]
Pixel = Annotated[float, msgspec.Meta(ge=-1e5, le=1e5)]
Side = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Celsius = Annotated[float, msgspec.Meta(ge=-100, le=300)]
Level = Annotated[float, msgspec.Meta(ge=-200, le=20)]
Bipolar = Annotated[float, msgspec.Meta(ge=-1, le=1)]
LabelScores = Annotated[dict[Line, Probability], msgspec.Meta(max_length=32)]
PixelBox = tuple[Pixel, Pixel, Pixel, Pixel]
Trigger = Line
"""button, key or command; a later version may know others, and they are no error."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message carries. The publisher fills `device`, `seq` and `age_ms`."""

    v: Literal[1] = 1
    device: Line = ""
    seq: Count = 0
    """Counts up from 0, per publisher."""
    t_ns: Nanoseconds
    """CLOCK_MONOTONIC of the capture, ns; means nothing on another host."""
    time: NotNegative
    """Unix time of the capture, s."""
    age_ms: NotNegative = 0.0
    """From capture to publishing."""


class FaceResult(msgspec.Struct, frozen=True, kw_only=True):
    id: Count
    box: PixelBox
    """[x, y, w, h] in px of the frame."""
    emotion: Line
    confidence: Probability
    scores: LabelScores
    valence: Bipolar = 0.0
    """From unpleasant (-1) to pleasant (1), by the scores (edge.policy.decision)."""
    arousal: Bipolar = 0.0
    """From calm (-1) to excited (1), by the scores."""
    held: bool = False
    """Not seen in this frame: shown where it was last."""


class FaceMessage(Message, frozen=True, kw_only=True, tag="face"):
    frame_seq: Count
    frame_size: tuple[Side, Side]
    """[w, h] px"""
    faces: Annotated[list[FaceResult], msgspec.Meta(max_length=MAX_FACES)]
    inference_ms: NotNegative


class RecordingMessage(Message, frozen=True, kw_only=True, tag="recording"):
    phase: Literal["idle", "waiting", "recording", "analysing"]
    """waiting = for the first word, after a press."""
    elapsed_s: NotNegative = 0.0
    """Since the microphone opened while waiting, then the length of the recording so far."""
    level_dbfs: Level | None = None
    button: bool = False
    """The device has a button that starts a recording."""


class AudioMessage(Message, frozen=True, kw_only=True, tag="audio"):
    trigger: Trigger
    duration_s: NotNegative
    speech: bool
    """False = nobody spoke, and then there is no emotion."""
    emotion: Line | None = None
    confidence: Probability | None = None
    scores: LabelScores | None = None
    level_dbfs: Level
    inference_ms: NotNegative


class Emotion(Message, frozen=True, kw_only=True, tag="emotion"):
    emotion: Line
    confidence: Probability
    scores: LabelScores
    valence: Bipolar = 0.0
    """From unpleasant (-1) to pleasant (1); 0 where nothing is known."""
    arousal: Bipolar = 0.0
    """From calm (-1) to excited (1); 0 where nothing is known."""
    face_age_s: NotNegative | None = None
    """None = no face was used."""
    voice_age_s: NotNegative | None = None
    face_id: Count | None = None


class Change(Message, frozen=True, kw_only=True, tag="change"):
    """Captured when the new emotion began, so that `age_ms` is how long it was waited for."""

    previous: Line
    emotion: Line
    """A label, UNCERTAIN or NOBODY; `previous` too."""
    lasted_s: NotNegative
    """How long `previous` lasted."""


class HealthMessage(Message, frozen=True, kw_only=True, tag="health"):
    state: Literal["ok", "degraded", "failed"]
    detail: Line = ""
    rate_hz: NotNegative
    """Frames, inferences or messages a second, whatever the service is there for."""
    dropped: Count
    rss_mb: NotNegative
    uptime_s: NotNegative
    version: Line
    soc_c: Celsius | None = None
    """°C of the board's chip; None = not measured here, as `throttled`. In `health.face`."""
    throttled: bool | None = None
    """The board slows itself down now, from heat or a weak power supply."""
    recording_data: bool = False
    """Results are being kept on the device. In `health.recorder`."""
    viewers: Count = 0
    """Browsers that show the live page now. In `health.web`."""


class Press(Message, frozen=True, kw_only=True, tag="press"):
    trigger: Trigger


class Mark(Message, frozen=True, kw_only=True, tag="mark"):
    """A moment that somebody marked, while the recorder runs."""

    text: Line


class Preview(Message, frozen=True, kw_only=True, tag="preview"):
    frame_seq: Count
    size: tuple[Side, Side]
    """[w, h] px of the JPEG"""
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
    """A state that is older is no longer true."""

    def is_current(self, age_s: float) -> bool:
        """Whether a state of this age still holds."""
        return self.max_age_s is None or age_s <= self.max_age_s


TOPICS: dict[str, Topic] = {
    "face": Topic(FaceMessage, "face", max_age_s=0.5),
    "recording": Topic(RecordingMessage, "audio"),
    "audio": Topic(AudioMessage, "audio", max_age_s=30.0),
    "emotion": Topic(Emotion, "fusion"),
    "change": Topic(Change, "fusion", event=True),
    **{
        f"health.{name}": Topic(HealthMessage, name, max_age_s=3.0)
        for name in (*SERVICES, *OPTIONAL_SERVICES)
    },
    "preview": Topic(Preview, "camera", max_age_s=5.0),
    "mark": Topic(Mark, "recorder", event=True),
    "press": Topic(Press, "any", event=True, local=True),
}


class BadMessageError(ValueError):
    """Bytes that are no message of the contract."""


class UnknownTopicError(BadMessageError):
    """A topic that this version does not know."""


T = TypeVar("T")
encode = msgspec.json.Encoder().encode


def decoder(types: Mapping[str, type[Message]]) -> Callable[[str, bytes], Message]:
    """What reads a message's JSON. `types`: of each topic."""
    decoders = {name: msgspec.json.Decoder(message) for name, message in types.items()}

    def decode(topic: str, body: bytes) -> Message:
        """Raises BadMessageError with one line that names the topic."""
        if topic not in decoders:
            raise UnknownTopicError(f"unknown topic {topic[:40]!r}")
        return decode_as(decoders[topic], topic, body)

    return decode


def decode_as(decoder: "msgspec.json.Decoder[T]", name: str, body: bytes) -> T:
    """Read JSON of one kind, called `name`. Raises BadMessageError with one line."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"{name}: {error}") from error


decode = decoder({name: topic.message for name, topic in TOPICS.items()})
