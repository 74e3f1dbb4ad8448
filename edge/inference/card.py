"""A model's card: what FILE.json beside FILE.tflite says of it, and whether it tells the truth.

Everything that training decided and the device must repeat stands in the card, never in the code:
the order of the labels, the size and normalisation of the input, the settings of the features.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.errors import UserError

Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(gt=0)]
Figures = dict[str, float | dict[str, float] | list[list[int]]]


class ModelError(UserError):
    """A model that cannot be used; the message is one line that names the file and the mend."""


class Input(Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes: `shape` without the batch; (x - mean) / std along the last axis."""

    shape: tuple[Count, ...]
    dtype: Literal["int8"]
    mean: tuple[float, ...]
    std: tuple[Positive, ...]


class Crop(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the training faces have eyes and mouth, in shares of the square crop's side."""

    eyes_apart: Positive
    eyes_height: Positive
    mouth_height: Positive


class SpeechFeatures(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of MFCC and delta, in the words of python_speech_features."""

    rate_hz: Count
    window_s: Positive
    frame_s: Positive
    hop_s: Positive
    fft_size: Count
    filters: Count
    coefficients: Count
    low_hz: float
    high_hz: Positive
    preemphasis: float
    lifter: Annotated[int, Meta(ge=0)]
    delta_reach: Count

    @property
    def window_samples(self) -> int:
        return round(self.rate_hz * self.window_s)


class RatersHead(Struct, frozen=True, forbid_unknown_fields=True):
    """A face network's second head: the share of ten raters that would choose each label."""

    temperature: Positive
    default_share: Fraction
    """How much this head counts beside the first where the settings leave it open."""


class Card(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model; `reliability` is the F1 of each label on validation data (0 to 1)."""

    kind: Literal["face-emotion", "speech-emotion", "speech-activity"]
    name: str
    version: str
    file: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    labels: Annotated[tuple[str, ...], Meta(min_length=2)]
    input: Input
    temperature: Positive
    reliability: dict[str, Fraction]
    protocol: str
    figures: dict[str, Figures]
    licence: str
    not_for: tuple[str, ...]
    known_failures: tuple[str, ...] = ()
    raters: RatersHead | None = None
    """Faces: the network gives len(labels) values of this head after those of the first."""
    view: Literal["labels", "raters"] | None = None
    """Faces, in cards of older one-head networks only: whose answer it gives."""
    features: SpeechFeatures | None = None
    crop: Crop | None = None

    @property
    def outputs(self) -> int:
        """How many values the network gives."""
        return len(self.labels) * (2 if self.raters else 1)

    def normalise(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features or grey levels to what the network takes, same shape, float32."""
        mean = np.asarray(self.input.mean, np.float32)
        return (x - mean) / np.asarray(self.input.std, np.float32)

    def scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n labels,) to probabilities: softmax(logits / temperature) (Guo et al. 2017)."""
        scaled = np.exp((logits - logits.max()) / np.float32(self.temperature))
        return np.asarray(scaled / scaled.sum(), np.float32)


def card_path(model: Path) -> Path:
    return model.with_suffix(".json")


def load_card(model: Path) -> Card:
    """The card beside `model`, checked against the file. Raises ModelError."""
    if not model.is_file():
        raise ModelError(f"{model}: no such model file; check the path in the configuration")
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
    """Refuse a card whose parts do not fit each other. Raises ModelError."""
    widths = {len(card.input.mean), len(card.input.std)}
    if not widths <= {1, card.input.shape[-1]}:
        raise ModelError(f"{path}: mean and std need one value or {card.input.shape[-1]}")
    if set(card.reliability) != set(card.labels):
        raise ModelError(f"{path}: reliability must name each label once")
    wanted = card.crop if card.kind == "face-emotion" else card.features
    if wanted is None:
        raise ModelError(f"{path}: a {card.kind} card needs `crop` or `features`, for its kind")


def check_fit(card: Card, kind: str, inputs: tuple[int, ...], outputs: int, model: Path) -> None:
    """Refuse a model of another kind, or whose tensors are not the card's. Raises ModelError."""
    if card.kind != kind:
        raise ModelError(f"{model}: a {card.kind} model where a {kind} model is needed")
    if card.input.shape != inputs:
        raise ModelError(f"{model}: takes {inputs}, but its card says {card.input.shape}")
    if card.outputs != outputs:
        heads = " of two heads" if card.raters else ""
        raise ModelError(f"{model}: gives {outputs} values for {len(card.labels)} labels{heads}")
