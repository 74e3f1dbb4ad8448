import numpy as np

from edge.bus.messages import FaceMessage
from edge.overlay.mirror import mirrored, mirrored_message
from tests.support.messages import example


def test_left_and_right_are_exchanged_in_the_picture() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert (mirrored(image) == image[:, ::-1]).all()


def test_a_box_is_where_its_face_is_in_the_mirror() -> None:
    message = example("face")
    assert isinstance(message, FaceMessage)
    (face,) = message.faces
    shown = mirrored_message(message)
    assert isinstance(shown, FaceMessage)
    x, y, w, h = face.box
    assert shown.faces[0].box == (640 - x - w, y, w, h)
    assert mirrored_message(shown) == message


def test_other_messages_are_as_they_were() -> None:
    assert mirrored_message(example("emotion")) == example("emotion")
