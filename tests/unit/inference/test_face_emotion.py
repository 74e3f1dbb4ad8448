"""Faces to scores: the cut, the size, the border, and the network that ships."""

import msgspec
import numpy as np
import pytest

from edge.inference.card import ModelError, RatersHead
from edge.inference.face_emotion import FaceEmotion, crop_grey, mixed, raters_share_of, resize
from tests.support.models import FACE, research_data


@pytest.fixture(scope="module")
def network() -> FaceEmotion:
    return FaceEmotion(FACE)


@pytest.fixture
def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def test_labels_are_the_contracts(network: FaceEmotion) -> None:
    assert network.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def test_every_crop_gets_scores_that_sum_to_one(network: FaceEmotion, scene: np.ndarray) -> None:
    answers = network.classify(scene, [(10, 10, 50, 50), (0.4, 2.6, 99.5, 99.5)])
    assert len(answers) == 2
    for scores in answers:
        assert scores.shape == (7,) and scores.dtype == np.float32
        assert scores.sum() == pytest.approx(1, abs=1e-5) and scores.min() >= 0


def test_no_crops_give_no_scores(network: FaceEmotion, scene: np.ndarray) -> None:
    assert network.classify(scene, []) == []


def test_grey_and_colour_of_the_same_image_agree(network: FaceEmotion) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (60, 60), dtype=np.uint8)
    colour = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    crop = [(5.0, 5.0, 48.0, 48.0)]
    assert np.array_equal(network.classify(grey, crop)[0], network.classify(colour, crop)[0])


def two_heads(sure: int, unsure: int) -> np.ndarray:
    """Logits of which the first head says one label and the second another."""
    return np.concatenate([9 * np.eye(7)[sure], 9 * np.eye(7)[unsure]]).astype(np.float32)


@pytest.mark.parametrize(("share", "answer"), [(0.0, 0), (0.3, 0), (0.7, 4), (1.0, 4)])
def test_the_share_decides_whose_answer_is_given(share: float, answer: int) -> None:
    network = FaceEmotion(FACE, raters_share=share)
    assert network.scores(two_heads(0, 4)).argmax() == answer


def test_each_head_has_its_own_temperature(network: FaceEmotion) -> None:
    raters = RatersHead(temperature=2.0, default_share=0.5)
    card = msgspec.structs.replace(network.card, temperature=1.0, raters=raters)
    logits = np.zeros(14, np.float32)
    logits[[0, 7]] = np.log(6)
    assert mixed(card, logits, 0.0)[0] == pytest.approx(1 / 2)
    assert mixed(card, logits, 1.0)[0] == pytest.approx(6**0.5 / (6**0.5 + 6))
    assert mixed(card, logits, 0.5).sum() == pytest.approx(1)


def test_a_share_left_open_is_the_cards(network: FaceEmotion) -> None:
    assert network.card.raters is not None
    assert network.raters_share == network.card.raters.default_share


def test_a_network_with_one_head_gives_its_answer_alone(network: FaceEmotion) -> None:
    card = msgspec.structs.replace(network.card, temperature=1.0, raters=None)
    logits = np.zeros(7, np.float32)
    logits[3] = np.log(6)
    assert mixed(card, logits, 0.0)[3] == pytest.approx(0.5)
    assert raters_share_of(card, None, FACE) == 0
    with pytest.raises(ModelError, match="remove raters_share"):
        raters_share_of(card, 0.5, FACE)


def test_crop_beyond_the_border_repeats_the_edge() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert crop_grey(image, (-2, 1, 4, 2)).tolist() == [[4, 4, 4, 5], [8, 8, 8, 9]]


def test_crop_beyond_every_border_keeps_its_size(scene: np.ndarray) -> None:
    assert crop_grey(scene, (-20, -30, 300, 300)).shape == (300, 300)


@pytest.mark.parametrize(
    "crop", [(200, 10, 20, 20), (10, 10, 0, 20), (np.nan, 0, 10, 10), (-50, 0, 40, 40)]
)
def test_crop_that_holds_nothing_is_refused(
    scene: np.ndarray, crop: tuple[float, float, float, float]
) -> None:
    with pytest.raises(ValueError, match="crop"):
        crop_grey(scene, crop)


def test_shrinking_averages_instead_of_aliasing() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 240))
    assert np.abs(resize(stripes, 48, 48).astype(int) - 127).max() <= 1


def test_large_face_is_read_as_the_small_one_it_was_made_of(network: FaceEmotion) -> None:
    small = np.random.default_rng(2).integers(0, 256, (48, 48), dtype=np.uint8)
    large = np.kron(small, np.ones((5, 5), np.uint8))
    given = network.classify(large, [(0, 0, 240, 240)])[0]
    assert given == pytest.approx(network.classify(small, [(0, 0, 48, 48)])[0])


@pytest.mark.data
def test_shipped_network_knows_public_test_faces() -> None:
    with np.load(research_data("fer2013.npz")) as data:
        rows = np.flatnonzero(data["usage"] == 1)[::9]
        images, labels = data["images"][rows], data["labels"][rows]
    network = FaceEmotion(FACE, raters_share=0)
    answers = [network.classify(image, [(0, 0, 48, 48)])[0].argmax() for image in images]
    assert (np.array(answers) == labels).mean() > 0.6
