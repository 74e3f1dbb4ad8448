import itertools

import pytest

from edge.policy.smoothing import BETA, BoxFilter, smoothing_factor
from edge.types import Box

RATE_HZ = 30
SIDE = 150.0


def shown(boxes: list[Box]) -> list[Box]:
    """Where the boxes of so many frames are shown."""
    box_filter, found = BoxFilter(boxes[0], 0.0), []
    for number, box in enumerate(boxes):
        box_filter.update(box, number / RATE_HZ)
        found.append(box_filter.box)
    return found


def test_the_first_box_is_shown_where_it_is() -> None:
    assert shown([(10.0, 20.0, SIDE, SIDE)]) == [(10.0, 20.0, SIDE, SIDE)]


def test_a_box_that_trembles_is_shown_at_rest() -> None:
    trembling = [(100.0 + 2 * (n % 2), 80.0, SIDE, SIDE) for n in range(120)]
    xs = [box[0] for box in shown(trembling)[30:]]
    assert max(xs) - min(xs) < 0.5
    assert xs[-1] == pytest.approx(101, abs=0.5)


@pytest.mark.parametrize("sides_a_second", [0.5, 1.0, 3.0])
def test_a_box_that_moves_is_shown_less_than_a_frame_behind(sides_a_second: float) -> None:
    step_px = sides_a_second * SIDE / RATE_HZ
    moving = [(100.0 + step_px * n, 80.0, SIDE, SIDE) for n in range(60)]
    behind = [box[0] - seen[0] for box, seen in zip(moving, shown(moving), strict=True)]
    assert max(behind[30:]) <= step_px


def test_a_box_that_grows_is_shown_less_than_a_frame_behind() -> None:
    growing = [(-n / 1.0, -n / 1.0, SIDE + 2.0 * n, SIDE + 2.0 * n) for n in range(60)]
    x, y, w, h = shown(growing)[-1]
    assert w == h == pytest.approx(growing[-1][2], abs=2.5)
    assert (x, y) == (pytest.approx(growing[-1][0], abs=1.5),) * 2


def test_rest_comes_back_after_a_movement() -> None:
    still, moved = (100.0, 80.0, SIDE, SIDE), (250.0, 80.0, SIDE, SIDE)
    found = shown([*itertools.repeat(still, 30), *itertools.repeat(moved, 60)])
    assert found[-1] == pytest.approx(moved, abs=0.5)


def test_a_frame_without_a_later_time_moves_nothing() -> None:
    box_filter = BoxFilter((0.0, 0.0, SIDE, SIDE), 1.0)
    box_filter.update((50.0, 0.0, SIDE, SIDE), 1.0)
    assert box_filter.box == (0.0, 0.0, SIDE, SIDE)


def test_the_share_of_a_new_sample_is_the_filters_of_its_authors() -> None:
    """r / (r + 1) with r = 2 pi cutoff dt; a cutoff without bound is no filter."""
    assert smoothing_factor(1.0, 1.0) == pytest.approx(0.8627, abs=1e-4)
    assert smoothing_factor(BETA * 1e6, 1 / RATE_HZ) == pytest.approx(1.0, abs=1e-6)
