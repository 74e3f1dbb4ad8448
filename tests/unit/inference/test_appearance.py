import cv2
import numpy as np
import pytest

from edge.inference.appearance import appearance, scene_appearance
from tests.support.camera import make_image

FACE = cv2.cvtColor(make_image(480, 480), cv2.COLOR_BGR2GRAY)[100:290, 130:320]


def test_a_picture_looks_like_itself_however_bright_and_large() -> None:
    darker = cv2.resize((FACE * 0.5 + 20).astype(np.uint8), (70, 70))
    assert float(appearance(FACE) @ appearance(darker)) > 0.99


def test_a_face_that_is_cropped_a_little_aside_still_looks_like_itself() -> None:
    aside = np.roll(FACE, 10, axis=1)
    assert float(appearance(FACE) @ appearance(aside)) > 0.85


def test_another_picture_looks_different() -> None:
    assert float(appearance(FACE) @ appearance(255 - FACE)) < 0
    assert float(appearance(FACE) @ appearance(FACE[:, ::-1].T.copy())) < 0.6


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_grey_frame_has_no_look(noise: float) -> None:
    random = np.random.default_rng(0)
    grey = 90 + random.normal(0, noise, (480, 640, 3))
    assert not scene_appearance(grey.astype(np.uint8)).any()


def test_a_scene_that_is_cut_to_another_looks_different() -> None:
    scene = make_image()
    moved = np.roll(scene, 12, axis=1)
    assert float(scene_appearance(scene) @ scene_appearance(moved)) > 0.8
    assert float(scene_appearance(scene) @ scene_appearance(scene[::-1, ::-1])) < 0.5
