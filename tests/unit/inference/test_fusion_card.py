"""What was fitted to two networks is used for these two only."""

from pathlib import Path

import msgspec
import pytest

from edge.bus.messages import FACE_LABELS, VOICE_LABELS
from edge.inference.card import Card, FusionCard, ModelError, load_card, load_fusion_card
from edge.pipeline.fusion import rules_for
from tests.support.harness import ROOT
from tests.support.models import FACE, VOICE

FUSION = ROOT / "models_tflite" / "fusion.json"


@pytest.fixture(scope="module")
def cards() -> tuple[Card, Card]:
    return load_card(FACE), load_card(VOICE)


@pytest.fixture
def fitted(cards: tuple[Card, Card]) -> FusionCard:
    face, voice = cards
    return FusionCard(
        face_sha256=face.sha256,
        voice_sha256=voice.sha256,
        face_reliability=dict.fromkeys(FACE_LABELS, 0.9),
        voice_reliability=dict.fromkeys(VOICE_LABELS, 0.3),
        protocol="",
        figures={},
    )


def test_what_was_fitted_to_the_two_networks_is_used(
    cards: tuple[Card, Card], fitted: FusionCard
) -> None:
    rules = rules_for(*cards, fitted, half_life_s=8.0)
    assert (rules.face_reliability["sad"], rules.voice_reliability["sad"]) == (0.9, 0.3)


def test_other_networks_are_fused_by_their_own_cards(
    cards: tuple[Card, Card], fitted: FusionCard, caplog: pytest.LogCaptureFixture
) -> None:
    face, voice = cards
    other = msgspec.structs.replace(voice, sha256="0" * 64)
    rules = rules_for(face, other, fitted, half_life_s=8.0)
    assert (rules.face_reliability, rules.voice_reliability) == (
        face.reliability,
        voice.reliability,
    )
    assert "fitted to other models" in caplog.text


def test_the_card_that_ships_is_whole() -> None:
    card = load_fusion_card(FUSION)
    assert set(card.face_reliability) == set(FACE_LABELS)
    assert set(card.voice_reliability) == set(VOICE_LABELS)


def test_a_card_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "fusion.json").write_text("{}")
    with pytest.raises(ModelError, match=r"fusion\.json: not a valid fusion card"):
        load_fusion_card(tmp_path / "fusion.json")
    with pytest.raises(ModelError, match="No such file"):
        load_fusion_card(tmp_path / "none.json")
