"""Altered training faces: what each kind changes, and what it leaves as it was."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.common.cards import FACE_CROP
from training.face import augment as face_augment
from training.face.glasses import draw_glasses

Kind = Callable[["torch.Tensor"], "torch.Tensor"]
KINDS = [
    draw_glasses,
    face_augment.move,
    face_augment.light,
    face_augment.side_light,
    face_augment.blur,
    face_augment.small,
    face_augment.motion,
    face_augment.jpeg,
    face_augment.noise,
    face_augment.cutout,
]


@pytest.fixture
def faces() -> "torch.Tensor":
    torch.manual_seed(0)
    return torch.rand(16, 1, 48, 48)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_the_shape_and_stays_finite(faces: "torch.Tensor", kind: Kind) -> None:
    altered = kind(faces)
    assert altered.shape == faces.shape
    assert altered.isfinite().all()


def test_all_kinds_together_give_grey_levels(faces: "torch.Tensor") -> None:
    altered = face_augment.augment(faces)
    assert altered.shape == faces.shape
    assert altered.min() >= 0 and altered.max() <= 1


def test_glasses_are_at_the_eyes_and_leave_the_mouth() -> None:
    torch.manual_seed(0)
    plain = torch.full((32, 1, 48, 48), 0.5)
    change = (draw_glasses(plain) - plain).abs().mean((0, 1))
    eyes = round(FACE_CROP["eyes_height"] * 48)
    assert change[eyes - 8 : eyes + 9].mean() > 0.05
    assert change[round(FACE_CROP["mouth_height"] * 48) :].max() == 0


def test_a_moving_mouth_leaves_the_eyes_sharp(faces: "torch.Tensor") -> None:
    altered = face_augment.motion(faces)
    assert torch.equal(altered[:, :, :24], faces[:, :, :24])
    assert altered[:, :, 40:].std() < faces[:, :, 40:].std()


def test_a_kind_is_applied_to_about_its_share_of_the_images() -> None:
    torch.manual_seed(0)
    altered = face_augment.sometimes(torch.zeros(2000, 1, 1, 1), 0.3, lambda x: x + 1)
    assert altered.mean() == pytest.approx(0.3, abs=0.05)


def test_nothing_is_altered_where_no_image_is_chosen(faces: "torch.Tensor") -> None:
    assert face_augment.sometimes(faces, 0.0, torch.zeros_like) is faces
