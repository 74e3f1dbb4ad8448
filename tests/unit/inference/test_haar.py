import cv2
import numpy as np
import pytest

from edge.inference.haar import MAX_PIXELS, Haar
from edge.paths import ASSETS

PORTRAIT = cv2.imread(str(ASSETS / "astronaut.jpg"))


def test_a_large_image_has_the_faces_of_a_small_one() -> None:
    """It is looked at in less detail, so that its memory is bounded."""
    large = cv2.resize(PORTRAIT, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    assert large.shape[0] * large.shape[1] > 2 * MAX_PIXELS
    (small,) = Haar("alt2", 24).find(PORTRAIT)
    (found,) = Haar("alt2", 24).find(large)
    assert np.array(found.box) / 8 == pytest.approx(np.array(small.box), abs=0.08 * small.box[2])


def test_the_least_side_of_a_face_is_that_in_the_image_as_it_is() -> None:
    large = cv2.resize(PORTRAIT, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    (found,) = Haar("alt2", 24).find(large)
    assert Haar("alt2", round(1.5 * found.box[2])).find(large) == []
