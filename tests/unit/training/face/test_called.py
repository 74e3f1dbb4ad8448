"""What faces are called that ten people agree on."""

import numpy as np
import pytest

from training.face.called import NAMES, called, shares


def test_a_face_is_called_as_the_device_calls_it() -> None:
    scores = np.array([[0.7, 0, 0, 0.3, 0, 0, 0], [0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1]])
    assert [NAMES[index] for index in called(scores, 0.4)] == ["angry", "uncertain"]


def test_the_shares_are_of_the_chosen_faces() -> None:
    seen = np.array([0, 0, 4, 7, 3])
    found = shares(seen, np.array([True, True, True, True, False]))
    assert found == pytest.approx(
        {**dict.fromkeys(NAMES, 0), "angry": 0.5, "neutral": 0.25, "uncertain": 0.25}
    )
