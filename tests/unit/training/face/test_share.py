"""Which share of the raters' head ships, and what is fitted with it."""

import msgspec
import numpy as np
import pytest

from edge.inference.card import Card, RatersHead, load_card
from tests.support.models import FACE
from training.face import data as face_data
from training.face import share as face_share

ANGRY, HAPPY, NEUTRAL = 0, 3, 4


def card_with(raters: RatersHead | None) -> Card:
    return msgspec.structs.replace(load_card(FACE), temperature=1.0, raters=raters)


def faces(labels: list[int], voted: list[int]) -> face_data.FaceSet:
    votes = np.zeros((len(voted), 10), np.int64)
    for row, label in enumerate(voted):
        votes[row, face_data.VOTED_COLUMNS[label]] = 10
    images = np.zeros((len(labels), 48, 48), np.uint8)
    return face_data.FaceSet(images, np.array(labels), votes, np.zeros(len(labels), bool))


def logits(first: list[int], second: list[int]) -> np.ndarray:
    """Each head fairly sure of the label that is given for it."""
    return np.concatenate([3 * np.eye(7)[first], 3 * np.eye(7)[second]], 1).astype(np.float32)


@pytest.fixture
def people() -> face_data.FaceSet:
    """Named angry where the raters say neutral, and happy where everybody does."""
    return faces([ANGRY, ANGRY, HAPPY], voted=[NEUTRAL, NEUTRAL, HAPPY])


@pytest.fixture
def answers() -> np.ndarray:
    return logits([ANGRY, ANGRY, HAPPY], [NEUTRAL, NEUTRAL, HAPPY])


def test_each_head_alone_pleases_its_own_truth(
    people: face_data.FaceSet, answers: np.ndarray
) -> None:
    card = card_with(RatersHead(1.0, 0.5))
    labels, raters = (face_share.both_truths(card, answers, people, share) for share in (0, 1))
    assert (labels["accuracy"], labels["ferplus_neutral_recall"]) == (1, 0)
    assert (raters["ferplus_majority_agreement"], raters["ferplus_neutral_recall"]) == (1, 1)


def test_the_least_share_that_gives_raters_what_is_wanted_is_the_default(
    people: face_data.FaceSet, answers: np.ndarray
) -> None:
    share = face_share.default_share(card_with(RatersHead(1.0, 0.0)), answers, people)
    assert 0.5 <= share <= 0.55


def test_where_no_share_is_enough_the_best_of_both_truths_is_the_default() -> None:
    people = faces([ANGRY, HAPPY], voted=[NEUTRAL, HAPPY])
    answers = logits([ANGRY, HAPPY], [ANGRY, HAPPY])
    assert face_share.default_share(card_with(RatersHead(1.0, 0.0)), answers, people) == 0


def test_a_network_with_one_head_is_fitted_to_the_labels(people: face_data.FaceSet) -> None:
    one = logits([ANGRY, ANGRY, HAPPY], [NEUTRAL] * 3)[:, :7]
    card = face_share.fitted(card_with(None), one, people)
    assert card.raters is None
    assert card.reliability["angry"] == 1


def test_without_votes_there_is_nothing_to_say_of_raters() -> None:
    scores = np.full((2, 7), 1 / 7)
    assert face_share.raters_figures(scores, np.zeros((2, 10), np.int64)) == {}


def test_scores_that_are_the_votes_concord_with_them_wholly() -> None:
    people = faces([ANGRY, HAPPY, NEUTRAL], voted=[ANGRY, HAPPY, NEUTRAL])
    right = face_share.dimension_figures(np.eye(7)[[ANGRY, HAPPY, NEUTRAL]], people.votes)
    wrong = face_share.dimension_figures(np.eye(7)[[HAPPY, ANGRY, NEUTRAL]], people.votes)
    assert (right["ferplus_valence_ccc"], right["ferplus_arousal_ccc"]) == (1, 1)
    assert wrong["ferplus_valence_ccc"] < 0
    assert right["ferplus_voted_images"] == 3


def test_without_votes_there_is_no_valence_to_compare_with() -> None:
    assert face_share.dimension_figures(np.full((2, 7), 1 / 7), np.zeros((2, 10), np.int64)) == {}
