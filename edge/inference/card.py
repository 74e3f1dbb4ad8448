"""Model cards: what FILE.json beside FILE.tflite tells about a model, checked against the file.

Everything that training decided and the device must repeat is in the card, never in the code: the
order of the labels, the size and normalisation of the input, the settings of the features. Imports
numpy only where a card computes with it: fusion reads cards and needs no numpy.
"""

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edge.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_LABELS, MAX_CHARACTERS = 32, 200
"""As many as a message may have (edge.bus.messages)."""

Label = Annotated[str, Meta(min_length=1, max_length=MAX_CHARACTERS)]
Side = Annotated[int, Meta(ge=1, le=4096)]
Seconds = Annotated[float, Meta(ge=0.001, le=10)]
Divisor = Annotated[float, Meta(ge=1e-6, le=1e6)]
Offset = Annotated[float, Meta(ge=-1e6, le=1e6)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Share = Annotated[float, Meta(ge=0.01, le=1)]
Temperature = Annotated[float, Meta(ge=0.01, le=100)]
Figures = dict[str, float | dict[str, float] | list[list[int]]]


class ModelError(UserError):
    """A model that cannot be used. The message is one line that names the file and the fix."""


class Input(Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes: `shape` without the batch; (x - mean) / std along the last axis."""

    shape: Annotated[tuple[Side, ...], Meta(min_length=1, max_length=4)]
    dtype: Literal["int8"]
    mean: tuple[Offset, ...]
    std: tuple[Divisor, ...]


class Crop(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the training faces have eyes and mouth, in fractions of the square crop's side."""

    eyes_apart: Share
    eyes_height: Share
    mouth_height: Share


class SpeechFeatures(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of MFCC and delta, with python_speech_features' meanings."""

    rate_hz: Annotated[int, Meta(ge=8_000, le=48_000)]
    window_s: Seconds
    frame_s: Seconds
    hop_s: Seconds
    fft_size: Annotated[int, Meta(ge=16, le=8192)]
    filters: Annotated[int, Meta(ge=1, le=256)]
    coefficients: Annotated[int, Meta(ge=1, le=256)]
    low_hz: Annotated[float, Meta(ge=0)]
    high_hz: Annotated[float, Meta(le=24_000)]
    preemphasis: Fraction
    lifter: Annotated[int, Meta(ge=0, le=256)]
    delta_reach: Annotated[int, Meta(ge=1, le=16)]

    @property
    def window_samples(self) -> int:
        return round(self.rate_hz * self.window_s)

    @property
    def size(self) -> int:
        """How many values they are, by the framing of python_speech_features."""
        hop = round(self.rate_hz * self.hop_s)
        rest = max(0, self.window_samples - round(self.rate_hz * self.frame_s))
        return (1 - -rest // hop) * 2 * self.coefficients

    def is_consistent(self) -> bool:
        """Whether a frame fits into the window and the FFT, and the filters into the band."""
        return (
            self.frame_s <= self.window_s
            and self.rate_hz * self.frame_s <= self.fft_size
            and self.coefficients <= self.filters
            and self.low_hz < self.high_hz <= self.rate_hz / 2
        )


class RatersHead(Struct, frozen=True, forbid_unknown_fields=True):
    """A face network's second head: the share of ten raters that would choose each label."""

    temperature: Temperature
    default_share: Fraction
    """How much this head counts beside the first where the settings leave it open."""


class Card(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model; `reliability` is the F1 of each label on validation data (0 to 1)."""

    kind: Literal["face-emotion", "speech-emotion", "speech-activity"]
    name: str
    version: str
    file: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    labels: Annotated[tuple[Label, ...], Meta(min_length=2, max_length=MAX_LABELS)]
    input: Input
    temperature: Temperature
    reliability: dict[str, Fraction]
    protocol: str
    figures: dict[str, Figures]
    licence: str
    not_for: tuple[str, ...]
    known_failures: tuple[str, ...] = ()
    raters: RatersHead | None = None
    """Faces: the network gives len(labels) values of this head after those of the first."""
    view: Literal["labels", "raters"] | None = None
    """Faces, in cards of older one-head networks only: whose labels it predicts."""
    features: SpeechFeatures | None = None
    crop: Crop | None = None

    @property
    def outputs(self) -> int:
        """How many values the network gives."""
        return len(self.labels) * (2 if self.raters else 1)

    def normalise(self, x: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Features or grey levels to what the network takes, same shape, float32."""
        import numpy as np

        mean = np.asarray(self.input.mean, np.float32)
        return np.asarray((x - mean) / np.asarray(self.input.std, np.float32), np.float32)

    def scores(self, logits: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Logits (n labels,) to probabilities: softmax(logits / temperature) (Guo et al. 2017)."""
        import numpy as np

        scaled = np.exp((logits - np.max(logits)) / np.float32(self.temperature))
        return np.asarray(scaled / scaled.sum(), np.float32)


class FusionCard(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """FUSION.json: how far each label of a face and of a voice network counts beside the other.

    Reliabilities (0 to 1) by the networks' own labels; `edge.policy.fusion` has the formula. They
    were fitted to two networks together and hold for no others, so it names both by their sha256.
    """

    face_sha256: str
    voice_sha256: str
    face_reliability: dict[str, Fraction]
    voice_reliability: dict[str, Fraction]
    protocol: str
    figures: dict[str, Figures]

    def fits(self, face: Card, voice: Card) -> bool:
        """Whether it was fitted to these two."""
        return (self.face_sha256, self.voice_sha256) == (face.sha256, voice.sha256)


REPLACED = {"face_emotion_raters": "leave face.model out, and set face.raters_share = 1"}
"""Networks of older versions, and what gives the same now."""


def card_path(model: Path) -> Path:
    return model.with_suffix(".json")


def load_card(model: Path) -> Card:
    """The card beside `model`, checked against the file. Raises ModelError."""
    if not model.is_file():
        fix = REPLACED.get(model.stem, "fix the path, or pip install ./models_tflite")
        raise ModelError(f"{model}: no such model file; {fix}")
    path = card_path(model)
    if not path.is_file():
        raise ModelError(f"{path}: the model's card is missing; it belongs beside {model.name}")
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a valid model card: {error}") from error
    check_content(card, path)
    if hashlib.sha256(model.read_bytes()).hexdigest() != card.sha256:
        raise ModelError(f"{model}: its sha256 is not the card's; fetch {card.file} again")
    return card


def check_content(card: Card, path: Path) -> None:
    """Check that the parts of a card fit each other. Raises ModelError."""
    widths = {len(card.input.mean), len(card.input.std)}
    if not widths <= {1, card.input.shape[-1]}:
        raise ModelError(f"{path}: mean and std need one value or {card.input.shape[-1]}")
    if len(set(card.labels)) != len(card.labels):
        raise ModelError(f"{path}: two labels are equal; give each its own name")
    if set(card.reliability) != set(card.labels):
        raise ModelError(f"{path}: reliability must name each label once")
    wanted = card.crop if card.kind == "face-emotion" else card.features
    if wanted is None:
        raise ModelError(f"{path}: a {card.kind} card needs `crop` or `features`, for its kind")
    settings = card.features
    if settings is not None and not (
        settings.is_consistent() and settings.size == math.prod(card.input.shape)
    ):
        raise ModelError(f"{path}: `features` do not fit each other or the input's shape; fix them")


def check_fit(card: Card, kind: str, inputs: tuple[int, ...], outputs: int, model: Path) -> None:
    """Check that a model is of this kind, and its tensors the card's. Raises ModelError."""
    if card.kind != kind:
        raise ModelError(f"{model}: a {card.kind} model where a {kind} model is needed")
    if card.input.shape != inputs:
        raise ModelError(f"{model}: its input is {inputs}, but its card has {card.input.shape}")
    if card.outputs != outputs:
        heads = " and two heads" if card.raters else ""
        raise ModelError(f"{model}: {outputs} outputs for {len(card.labels)} labels{heads}")


def load_fusion_card(path: Path) -> FusionCard:
    """Raises ModelError for a file that is missing or not such a card."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=FusionCard)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a valid fusion card: {error}") from error
