"""Cards are compared with what is measured, figure by figure."""

import msgspec
import pytest

from edge.inference.card import Card, load_card
from tests.support.harness import ROOT
from training.common.compare import differences


@pytest.fixture
def card() -> Card:
    return load_card(ROOT / "models_tflite" / "face_emotion.tflite")


def changed(card: Card, key: str, value: object) -> Card:
    private = {**card.figures["PublicTest"], key: value}
    return msgspec.structs.replace(card, figures={**card.figures, "PublicTest": private})


def test_a_card_is_as_itself(card: Card) -> None:
    assert differences(card, card, 0.003) == []


def test_a_figure_that_differs_is_named_with_both_values(card: Card) -> None:
    accuracy = card.figures["PublicTest"]["accuracy"]
    assert isinstance(accuracy, float)
    assert differences(card, changed(card, "accuracy", accuracy - 0.002), 0.003) == []
    (line,) = differences(card, changed(card, "accuracy", 0.5), 0.003)
    assert line == f"PublicTest, accuracy: the card says {accuracy:g}, measured 0.5"


def test_a_figure_that_is_no_number_differs(card: Card) -> None:
    (line,) = differences(card, changed(card, "accuracy", float("nan")), 0.003)
    assert line.endswith("measured nan")


def test_a_figure_inside_another_counts_too(card: Card) -> None:
    recall = {**card.figures["PublicTest"]["recall"], "sad": 0.01}  # type: ignore[dict-item]
    (line,) = differences(card, changed(card, "recall", recall), 0.003)
    assert line.startswith("PublicTest, recall, sad:")


def test_a_figure_that_only_one_card_has_is_a_difference(card: Card) -> None:
    (line,) = differences(changed(card, "wished", 1.0), card, 0.003)
    assert line == "PublicTest, wished: only on one of the two"


def test_counts_of_a_confusion_are_compared_as_shares_of_the_samples(card: Card) -> None:
    counts = [list(row) for row in card.figures["PublicTest"]["confusion"]]  # type: ignore[arg-type]
    counts[0][0] -= 3
    assert differences(card, changed(card, "confusion", counts), 0.003) == []
    counts[0][0] -= 30
    assert differences(card, changed(card, "confusion", counts), 0.003) != []
