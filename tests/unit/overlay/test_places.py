from functools import partial

import numpy as np

from edge.bus.messages import FACE_LABELS, FaceResult
from edge.language import load_language
from edge.overlay.drawing import Rect
from edge.overlay.faces import draw_faces
from edge.overlay.places import Places

FIRST, SECOND = Rect(0, 0, 10, 10), Rect(50, 0, 10, 10)


def chosen(places: Places, taken: Rect, face_id: int = 1) -> Rect | None:
    return places.choose(
        face_id, "label", [FIRST, SECOND], lambda place: not place.overlaps(taken), 5
    )


BESIDE_FIRST, ON_FIRST, ON_SECOND = Rect(12, 0, 9, 9), Rect(5, 0, 9, 9), Rect(55, 0, 9, 9)
AWAY, EVERYWHERE = Rect(500, 0, 1, 1), Rect(0, 0, 100, 100)


def test_a_new_face_gets_the_first_place_that_is_free() -> None:
    assert chosen(Places(), BESIDE_FIRST) == FIRST
    assert chosen(Places(), ON_FIRST) == SECOND
    assert chosen(Places(), EVERYWHERE) is None


def test_what_has_a_place_keeps_it_while_it_is_free() -> None:
    places = Places()
    found = [chosen(places, taken) for taken in (ON_FIRST, AWAY, ON_SECOND, AWAY)]
    assert found == [SECOND, SECOND, FIRST, FIRST]


def test_what_had_no_place_gets_one_only_with_room_to_spare() -> None:
    places = Places()
    found = [chosen(places, taken) for taken in (EVERYWHERE, Rect(12, 0, 60, 9), AWAY)]
    assert found == [None, None, FIRST]


def test_a_face_that_is_gone_is_forgotten() -> None:
    places = Places()
    chosen(places, ON_FIRST, face_id=1)
    chosen(places, ON_FIRST, face_id=2)
    places.keep({2})
    assert [chosen(places, AWAY, face_id) for face_id in (1, 2)] == [FIRST, SECOND]


def drawn(x: float, memory: Places) -> np.ndarray:
    """A face at `x` of an image in which its chart fits to the right of it just so at 300 px."""
    face = FaceResult(
        id=1, box=(x, 100.0, 120.0, 120.0), emotion="happy", confidence=0.9,
        scores=dict.fromkeys(FACE_LABELS, 0.1),
    )  # fmt: skip
    image = np.full((480, 640, 3), 90, np.uint8)
    draw_faces(image, 13.0, [face], (640, 480), None, load_language(), memory)
    return image


def left_of_the_face_is_untouched(x: float, memory: Places) -> bool:
    return bool((drawn(x, memory)[110:220, : int(x) - 10] == 90).all())


def test_a_chart_at_the_border_stays_on_its_side_of_the_face() -> None:
    alone = [left_of_the_face_is_untouched(float(x), Places()) for x in range(200, 500)]
    border = 200 + alone.index(False)
    memory = Places()
    untouched = partial(left_of_the_face_is_untouched, memory=memory)
    assert untouched(border - 1.0)
    assert not untouched(float(border))
    assert not any(untouched(x) for x in (border - 1.0, border, border - 2.0, border))
