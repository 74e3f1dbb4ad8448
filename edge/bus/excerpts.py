"""Faces and emotions with what the recorder keeps of them: read in half the time, and smaller.

Scores are fields of a struct, in the order of the labels. Whoever reads all uses edge.bus.messages.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    MAX_FACES,
    TOPICS,
    Count,
    Line,
    Message,
    NotNegative,
    PixelBox,
    Probability,
    decoder,
)


def scores_of(name: str, labels: Sequence[str]) -> type[msgspec.Struct]:
    """A struct with a field for each label; None = it has no score. Other labels are left out."""
    fields = [(label, Probability | None, None) for label in labels]
    return msgspec.defstruct(name, fields, frozen=True, gc=False)


FaceScores = scores_of("FaceScores", FACE_LABELS)
EmotionScores = scores_of("EmotionScores", EMOTION_LABELS)


class FaceExcerpt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """As FaceResult."""

    id: Count
    box: PixelBox
    emotion: Line
    confidence: Probability
    scores: FaceScores  # type: ignore[valid-type]


class FacesExcerpt(Message, frozen=True, kw_only=True, tag="face"):
    """As FaceMessage."""

    faces: Annotated[list[FaceExcerpt], msgspec.Meta(max_length=MAX_FACES)]


class EmotionExcerpt(Message, frozen=True, kw_only=True, tag="emotion"):
    """As Emotion."""

    emotion: Line
    confidence: Probability
    scores: EmotionScores  # type: ignore[valid-type]
    face_age_s: NotNegative | None = None
    voice_age_s: NotNegative | None = None


TYPES = {name: topic.message for name, topic in TOPICS.items()}
decode = decoder({**TYPES, "face": FacesExcerpt, "emotion": EmotionExcerpt})
