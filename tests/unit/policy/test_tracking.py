import numpy as np
import pytest

from edge.policy.tracking import Detection, Tracked, Tracker, match

HAPPY = np.array([1, 0], np.float32)
SAD = np.array([0, 1], np.float32)
ANNA, BERT = np.array([1, 0], np.float32), np.array([0.5, 0.866], np.float32)
HERE, THERE = ANNA, np.array([0, 1], np.float32)
NOTHING = np.zeros(2, np.float32)
"""Of a frame that is all grey."""


def at(x: float, y: float = 100.0, side: float = 100.0) -> tuple[float, float, float, float]:
    return (x, y, side, side)


def seen(x: float, scores: np.ndarray = HAPPY) -> Detection:
    return Detection(at(x), scores, ANNA)


class Faces:
    """A tracker in front of one scene."""

    def __init__(self) -> None:
        self._tracker = Tracker(window_s=1.0, hold_s=0.5)

    def update(
        self, now_s: float, detections: list[Detection], scene: np.ndarray = HERE
    ) -> list[Tracked]:
        return self._tracker.update(now_s, detections, scene)


def tracker() -> Faces:
    return Faces()


def test_a_face_keeps_its_id_while_it_moves() -> None:
    faces = tracker()
    ids = {faces.update(n / 30, [seen(10.0 * n)])[0].id for n in range(60)}
    assert ids == {1}


def test_a_face_that_jumps_across_the_image_is_another_one() -> None:
    faces = tracker()
    faces.update(0.0, [seen(0)])
    assert [face.id for face in faces.update(0.1, [seen(500)])] == [1, 2]


def test_two_faces_keep_their_ids_whatever_the_order_of_detection() -> None:
    faces = tracker()
    faces.update(0.0, [seen(0), seen(300)])
    moved = faces.update(0.1, [seen(310), seen(10)])
    assert {face.id: round(face.box[0], -1) for face in moved} == {1: 10, 2: 310}


def test_a_lost_face_is_held_where_it_was_and_then_let_go() -> None:
    faces = tracker()
    faces.update(0.0, [seen(40)])
    held = faces.update(0.4, [])
    assert [(face.id, face.box, face.held) for face in held] == [(1, at(40), True)]
    assert faces.update(0.6, []) == []


def test_a_held_face_that_comes_back_is_the_same_face() -> None:
    faces = tracker()
    faces.update(0.0, [seen(40)])
    faces.update(0.2, [])
    back = faces.update(0.4, [seen(60)])
    assert [(face.id, face.held) for face in back] == [(1, False)]


def test_scores_are_averaged_over_the_window_and_no_longer() -> None:
    faces = tracker()
    faces.update(0.0, [seen(0, SAD)])
    assert faces.update(0.5, [seen(0, HAPPY)])[0].scores.tolist() == [0.5, 0.5]
    assert faces.update(1.4, [seen(0, HAPPY)])[0].scores.tolist() == [1.0, 0.0]


def test_scores_as_old_as_the_window_still_count() -> None:
    faces = tracker()
    faces.update(0.0, [seen(0, SAD)])
    faces.update(0.5, [seen(0, HAPPY)])
    assert faces.update(1.0, [seen(0, HAPPY)])[0].scores == pytest.approx([2 / 3, 1 / 3])
    assert faces.update(1.0625, [seen(0, HAPPY)])[0].scores.tolist() == [1.0, 0.0]


def test_a_lost_face_is_held_until_the_very_end_of_its_time() -> None:
    faces = tracker()
    faces.update(0.0, [seen(40)])
    assert len(faces.update(0.5, [])) == 1
    assert faces.update(0.5625, []) == []


def test_an_id_is_never_given_twice() -> None:
    faces = tracker()
    ids = [faces.update(float(n), [seen(0)])[0].id for n in range(5)]
    assert ids == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("side", [30.0, 250.0])
def test_a_box_of_a_very_different_size_is_another_face(side: float) -> None:
    assert match([at(100)], [at(100, side=side)]) == {}


@pytest.mark.parametrize(
    ("side", "pairs"), [(49.0, {}), (50.0, {0: 0}), (200.0, {0: 0}), (204.0, {})]
)
def test_a_box_of_up_to_twice_the_size_may_be_the_same_face(
    side: float, pairs: dict[int, int]
) -> None:
    centred = at(150 - side / 2, 150 - side / 2, side)
    assert match([at(100)], [centred]) == pairs


@pytest.mark.parametrize(("moved_px", "pairs"), [(75.0, {0: 0}), (85.0, {})])
def test_a_face_moves_less_than_four_fifths_of_its_side_between_frames(
    moved_px: float, pairs: dict[int, int]
) -> None:
    assert match([at(100)], [at(100 + moved_px)]) == pairs


def test_each_known_face_is_given_to_one_detection_only() -> None:
    pairs = match([at(100)], [at(120), at(105)])
    assert pairs == {1: 0}


def test_another_person_in_the_same_place_gets_a_new_id_and_no_inherited_scores() -> None:
    faces = tracker()
    faces.update(0.0, [seen(100, SAD)])
    (other,) = faces.update(0.1, [Detection(at(100), HAPPY, BERT)])
    assert other.id == 2
    assert other.scores.tolist() == HAPPY.tolist()


def test_the_person_who_was_there_is_not_held_beside_the_one_in_her_place() -> None:
    faces = tracker()
    faces.update(0.0, [seen(100), seen(300)])
    after = faces.update(0.1, [Detection(at(105), HAPPY, BERT)])
    assert {face.id: face.held for face in after} == {2: True, 3: False}


def test_after_a_cut_all_faces_are_new_and_none_is_held() -> None:
    faces = tracker()
    faces.update(0.0, [seen(100), seen(300)])
    (after,) = faces.update(0.1, [seen(100)], scene=THERE)
    assert (after.id, after.held) == (3, False)


def test_a_frame_with_nothing_in_it_is_no_cut() -> None:
    faces = tracker()
    faces.update(0.0, [seen(100)])
    assert [face.held for face in faces.update(0.1, [], scene=NOTHING)] == [True]
    assert [face.id for face in faces.update(0.2, [seen(100)])] == [1]


def test_a_face_that_slowly_changes_its_look_is_the_same_one() -> None:
    faces = tracker()
    angles = np.linspace(0, np.pi, 30)
    looks = [np.array([np.cos(a), np.sin(a)], np.float32) for a in angles]
    ids = {
        faces.update(n / 30, [Detection(at(100), HAPPY, look)])[0].id
        for n, look in enumerate(looks)
    }
    assert ids == {1}
