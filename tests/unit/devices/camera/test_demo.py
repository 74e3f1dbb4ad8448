"""The demo: a face that moves, grows, leaves and comes back."""

import time

import cv2
import numpy as np
import pytest

from edge.devices.camera.demo import PERIOD_S, DemoCamera, position
from edge.inference.haar import Haar

SIZE = (640, 480)
MOMENTS_S = np.arange(0, PERIOD_S, 0.5)


@pytest.fixture
def demo() -> DemoCamera:
    return DemoCamera(*SIZE, 30.0)


def test_same_moment_is_the_same_image(demo: DemoCamera) -> None:
    again = DemoCamera(*SIZE, 30.0)
    assert (demo.frame_at(3.21) == again.frame_at(3.21)).all()
    assert (demo.frame_at(3.21) == demo.frame_at(3.21 + PERIOD_S)).mean() > 0.99


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1280, 720), (480, 640)])
def test_image_has_the_size_that_is_asked_for(size: tuple[int, int]) -> None:
    image = DemoCamera(*size, 30.0).frame_at(12.9)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8


def test_a_face_is_found_except_while_she_is_away(demo: DemoCamera) -> None:
    haar = Haar("alt2", 48)
    found = {float(t): haar.find(demo.frame_at(t)) for t in MOMENTS_S}
    assert [t for t, faces in found.items() if not faces] == [13.0, 13.5, 14.0, 14.5, 15.0]
    assert all(len(faces) <= 1 for faces in found.values())


def test_face_grows_and_shrinks(demo: DemoCamera) -> None:
    haar = Haar("alt2", 48)
    sides = [face.box[2] for t in MOMENTS_S for face in haar.find(demo.frame_at(t))]
    assert max(sides) > 2 * min(sides)


def test_face_moves_without_jumps() -> None:
    path = np.array([position(t, *SIZE) for t in np.arange(0, 2 * PERIOD_S, 1 / 30)])
    assert np.abs(np.diff(path[:, :2], axis=0)).max() < 30
    assert np.abs(np.diff(path[:, 2])).max() < 0.03


def test_nothing_is_left_of_her_while_she_is_gone(demo: DemoCamera) -> None:
    gray = cv2.cvtColor(demo.frame_at(14.2), cv2.COLOR_BGR2GRAY)
    assert gray.min() > 150


def test_demo_keeps_the_rate(demo: DemoCamera) -> None:
    started_s = time.monotonic()
    for _ in range(16):
        demo.read()
    assert time.monotonic() - started_s >= 15 / 30
