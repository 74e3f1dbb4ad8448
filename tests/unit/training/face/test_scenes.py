"""Scenes for measuring detector and crop: the face is where they say it is."""

import numpy as np

from training.face.scenes import HEIGHT, LARGEST, SMALLEST, WIDTH, scene


def test_a_scene_holds_the_face_where_it_says() -> None:
    random = np.random.default_rng(0)
    face = np.array([[0, 255], [255, 0]], np.uint8).repeat(24, 0).repeat(24, 1)
    for _ in range(50):
        made = scene(face, random)
        x, y, side, _ = made.box
        assert made.image.shape == (HEIGHT, WIDTH, 3)
        assert SMALLEST <= side <= LARGEST
        pasted = made.image[y : y + side, x : x + side]
        assert pasted.shape == (side, side, 3)
        quarter = side // 4
        assert pasted[quarter, quarter].tolist() == [0, 0, 0]
        assert pasted[quarter, -quarter].tolist() == [255, 255, 255]


def test_the_same_seed_gives_the_same_scenes() -> None:
    face = np.full((48, 48), 90, np.uint8)
    one, other = (scene(face, np.random.default_rng(7)) for _ in range(2))
    assert one.box == other.box
    assert np.array_equal(one.image, other.image)
