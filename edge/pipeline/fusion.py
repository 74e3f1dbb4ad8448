"""The rules of fusion for the networks of the settings, by their cards."""

import logging
from pathlib import Path

from edge.config import Config
from edge.inference.card import Card, FusionCard, load_card, load_fusion_card
from edge.paths import MODELS
from edge.policy.fusion import Rules

log = logging.getLogger(__name__)


def rules_from_config(config: Config) -> Rules:
    """Loads no network. Raises ModelError."""
    return rules_for(
        load_card(Path(config.face.model)),
        load_card(Path(config.audio.model)),
        load_fusion_card(MODELS / "fusion.json"),
        config.fusion.voice_half_life_s,
    )


def rules_for(face: Card, voice: Card, fitted: FusionCard, half_life_s: float) -> Rules:
    """What was fitted to these two networks; for others, how well each does alone."""
    if not fitted.fits(face, voice):
        log.warning(
            "fusion was fitted to other models; taking the reliabilities of %s and %s",
            face.name, voice.name,
        )  # fmt: skip
        return Rules(face.reliability, voice.reliability, half_life_s)
    return Rules(fitted.face_reliability, fitted.voice_reliability, half_life_s)
