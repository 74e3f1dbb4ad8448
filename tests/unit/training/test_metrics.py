"""The arithmetic behind the cards' figures, and which images training may see."""

from pathlib import Path

import numpy as np
import pytest

from training.common import metrics
from training.face import data as face_data
from training.face import votes as face_votes


def test_fitted_temperature_undoes_overconfidence() -> None:
    random = np.random.default_rng(0)
    logits = random.standard_normal((4000, 5)).astype(np.float32)
    shares = metrics.softmax(logits, 1)
    labels = np.array([random.choice(5, p=row) for row in shares])
    assert metrics.fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_calibration_error_is_the_gap_between_promise_and_truth() -> None:
    scores = np.tile([0.9, 0.1], (10, 1))
    assert metrics.calibration_error(scores, np.zeros(10, int)) == pytest.approx(0.1)
    assert metrics.calibration_error(scores, np.ones(10, int)) == pytest.approx(0.9)


def test_few_samples_show_a_calibration_error_by_chance_and_many_do_not() -> None:
    few, many = (np.tile([[0.6, 0.4], [0.9, 0.1]], (half, 1)) for half in (25, 20_000))
    assert metrics.chance_calibration_error(few) > 0.03
    assert metrics.chance_calibration_error(many, draws=20) < 0.005


def test_figures_of_a_small_example() -> None:
    scores = np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3], [0.1, 0.9]])
    found = metrics.figures(scores, np.array([0, 0, 1, 1]), ("calm", "angry"))
    assert found["accuracy"] == 0.75
    assert found["recall"] == {"calm": 1.0, "angry": 0.5}
    assert found["balanced_accuracy"] == 0.75
    assert found["confusion"] == [[2, 0], [1, 1]]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Five images: the second Training image is also in PublicTest."""
    votes = np.zeros((5, 10), np.int8)
    votes[:, face_data.FERPLUS_COLUMNS.index("happiness")] = [10, 5, 0, 6, 5]
    votes[:, face_data.FERPLUS_COLUMNS.index("sadness")] = [0, 5, 0, 4, 5]
    votes[:, face_data.FERPLUS_COLUMNS.index("contempt")] = [0, 0, 10, 0, 0]
    path = tmp_path / "faces.npz"
    np.savez(
        path,
        images=np.zeros((5, 48, 48), np.uint8),
        labels=np.array([3, 3, 0, 5, 3], np.uint8),
        usage=np.array([0, 0, 0, 0, 1], np.uint8),
        ferplus_votes=votes,
        dup_group=np.array([-1, 7, -1, -1, 7], np.int32),
    )
    return path


def test_training_never_sees_an_image_that_is_also_in_a_test_set(prepared: Path) -> None:
    assert len(face_data.load(prepared, face_data.TRAINING)) == 3
    assert face_data.load(prepared, face_data.PUBLIC).leaked.tolist() == [True]


def test_a_smoothed_label_leaves_a_little_for_the_others(prepared: Path) -> None:
    faces = face_data.load(prepared, face_data.TRAINING)
    targets = face_votes.label_targets(faces, smoothing=0.07, voted_share=0)
    assert targets.sum(1) == pytest.approx(1)
    assert targets[0] == pytest.approx([0.01, 0.01, 0.01, 0.94, 0.01, 0.01, 0.01])


def test_votes_move_the_labels_target_and_keep_its_sum(prepared: Path) -> None:
    faces = face_data.load(prepared, face_data.TRAINING)
    targets = face_votes.label_targets(faces, smoothing=0, voted_share=0.5)
    assert targets.sum(1) == pytest.approx(1)
    assert 0.5 < targets[0, 3] < 1, "one of the images with such votes has another label"


def test_concordance_is_less_than_one_where_only_the_correlation_is() -> None:
    wanted = np.array([-1.0, 0.0, 1.0])
    assert metrics.concordance(wanted, wanted) == 1
    assert metrics.concordance(wanted / 2, wanted) == pytest.approx(0.8)
    assert metrics.concordance(wanted + 1, wanted) == pytest.approx(4 / 7)


def test_images_without_votes_keep_their_label_as_target(prepared: Path) -> None:
    faces = face_data.load(prepared, face_data.TRAINING)
    faces.votes[:] = 0
    targets = face_votes.label_targets(faces, smoothing=0, voted_share=0.5)
    assert targets.tolist() == np.eye(7)[faces.labels].tolist()


def test_votes_for_none_of_the_labels_teach_nothing(prepared: Path) -> None:
    scores = face_data.voted_scores(face_data.load(prepared, face_data.TRAINING).votes)
    happy, sad = 3, 5
    assert scores[0, happy] == 1
    assert scores[1].sum() == 0, "only contempt was voted for"
    assert scores[2, [sad, happy]] == pytest.approx([0.4, 0.6])


def test_majority_is_none_for_a_tie_and_for_foreign_labels(prepared: Path) -> None:
    public = face_data.load(prepared, face_data.PUBLIC)
    training = face_data.load(prepared, face_data.TRAINING)
    assert face_data.majority(public.votes).tolist() == [-1]
    assert face_data.majority(training.votes).tolist() == [3, -1, 3]
