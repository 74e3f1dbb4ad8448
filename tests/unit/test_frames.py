import numpy as np
import pytest

from edge.frames import FRAME_HEADER, Frame, pack_frame, unpack_frame
from edge.messages import BadMessageError


def picture(width: int = 8, height: int = 6) -> np.ndarray:
    return np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)


def test_a_frame_survives_the_wire() -> None:
    frame = Frame(3, 123_456_789, 1.5, picture())
    back = unpack_frame(pack_frame(frame))
    assert back[:3] == frame[:3]
    assert np.array_equal(back.image, frame.image)


def test_a_picture_that_is_a_view_survives_too() -> None:
    view = picture(16, 12)[::2, ::2]
    assert np.array_equal(unpack_frame(pack_frame(Frame(0, 0, 0.0, view))).image, view)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"x" * 10,
        pack_frame(Frame(0, 0, 0.0, picture()))[:-1],
        b"JUNK" + pack_frame(Frame(0, 0, 0.0, picture()))[4:],
        FRAME_HEADER.pack(b"EEF1", 0, 0, 3, 0, 0, 0.0),
        FRAME_HEADER.pack(b"EEF1", 2**32 - 1, 2**32 - 1, 3, 0, 0, 0.0),
    ],
)
def test_bytes_that_are_no_frame_are_refused(part: bytes) -> None:
    with pytest.raises(BadMessageError):
        unpack_frame(part)
