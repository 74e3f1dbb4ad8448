"""The face network's training data: two targets an image, and what teachers add to them."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.common.networks import FaceNet
from training.face import task as face_task
from training.face.task import FaceTask

COUNT = 24


def prepared(folder: Path, with_votes: bool) -> Path:
    """Images of noise with every label in turn; a quarter of them is PublicTest."""
    random = np.random.default_rng(0)
    votes = random.integers(0, 3, (COUNT, 10)) if with_votes else np.full((COUNT, 10), -1)
    path = folder / "faces.npz"
    np.savez(
        path,
        images=random.integers(0, 256, (COUNT, 48, 48), dtype=np.uint8),
        labels=(np.arange(COUNT) % 7).astype(np.uint8),
        usage=(np.arange(COUNT) % 4 == 3).astype(np.uint8),
        ferplus_votes=votes.astype(np.int8),
        dup_group=np.full(COUNT, -1, np.int32),
    )
    return path


@pytest.fixture
def task(tmp_path: Path) -> FaceTask:
    return FaceTask(prepared(tmp_path, with_votes=True))


@pytest.fixture
def network() -> FaceNet:
    return FaceNet(2 * FaceTask.classes, width=4, depth=1)


def test_a_batch_has_an_image_and_two_targets_a_row(task: FaceTask) -> None:
    inputs, targets = next(task.batches(6, torch.device("cpu")))
    assert inputs.shape == (6, 1, 48, 48)
    assert targets.view(6, 2, 7).sum(2).numpy() == pytest.approx(1, abs=1e-5)


def test_teachers_move_both_targets_to_their_answer(task: FaceTask, network: FaceNet) -> None:
    before = task.targets.clone()
    task.learn_from([network])
    views = task.images, task.images.flip(3)
    answer = sum(face_task.scores_of(network, view) for view in views) / 2
    assert torch.allclose(task.targets, before.lerp(answer, face_task.TAUGHT_SHARE), atol=1e-5)


def test_both_heads_are_released_where_the_data_has_votes(task: FaceTask, network: FaceNet) -> None:
    assert task.released(network).classifier.out_features == 14
    assert task.card_fields()["raters"] is not None


def test_one_head_is_released_where_the_data_has_none(tmp_path: Path, network: FaceNet) -> None:
    task = FaceTask(prepared(tmp_path, with_votes=False))
    assert task.released(network).classifier.out_features == 7
    assert task.card_fields()["raters"] is None
