"""What FUSION.json says: how far each label of a face and a voice network counts beside the other.

Fitted to two networks together, so it names both by their sha256; for others it says nothing.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from edge.inference.card import Card, Figures, Fraction, ModelError


class FusionCard(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reliabilities (0 to 1) by the networks' own labels; `edge.policy.fusion` has the formula."""

    face_sha256: str
    voice_sha256: str
    face_reliability: dict[str, Fraction]
    voice_reliability: dict[str, Fraction]
    protocol: str
    figures: dict[str, Figures]

    def fits(self, face: Card, voice: Card) -> bool:
        """Whether it was fitted to these two."""
        return (self.face_sha256, self.voice_sha256) == (face.sha256, voice.sha256)


def load_fusion_card(path: Path) -> FusionCard:
    """Raises ModelError for a file that is missing or not such a card."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=FusionCard)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a valid fusion card: {error}") from error
