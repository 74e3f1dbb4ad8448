import time
from pathlib import Path

import numpy as np
import pytest

from edge.bus.frames import (
    FRAME_HEADER,
    QUEUE,
    Frame,
    FramePublisher,
    FrameSubscriber,
    pack_frame,
    unpack_frame,
)
from edge.bus.messages import BadMessageError

CAMERA_PERIOD_S = 0.02


def make_image(width: int = 8, height: int = 6) -> np.ndarray:
    return np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)


def test_a_frame_survives_the_wire() -> None:
    frame = Frame(3, 123_456_789, 1.5, make_image())
    back = unpack_frame(pack_frame(frame))
    assert back[:3] == frame[:3]
    assert np.array_equal(back.image, frame.image)


def test_an_image_that_is_a_view_survives_too() -> None:
    view = make_image(16, 12)[::2, ::2]
    assert np.array_equal(unpack_frame(pack_frame(Frame(0, 0, 0.0, view))).image, view)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"x" * 10,
        pack_frame(Frame(0, 0, 0.0, make_image()))[:-1],
        b"JUNK" + pack_frame(Frame(0, 0, 0.0, make_image()))[4:],
        FRAME_HEADER.pack(b"EEF1", 0, 0, 3, 0, 0, 0.0),
        FRAME_HEADER.pack(b"EEF1", 2**32 - 1, 2**32 - 1, 3, 0, 0, 0.0),
    ],
)
def test_bytes_that_are_no_frame_are_refused(part: bytes) -> None:
    with pytest.raises(BadMessageError):
        unpack_frame(part)


def test_a_reader_that_is_behind_gets_the_newest_frame_and_counts_the_others(
    directory: Path,
) -> None:
    endpoint = f"ipc://{directory}/frames"
    camera, reader = FramePublisher(endpoint), FrameSubscriber(endpoint)
    first = None
    while first is None:  # until the camera knows of the reader
        camera.publish(Frame(0, 0, 0.0, make_image()))
        reader.socket.poll(50)
        first = reader.receive()
    for seq in range(1, QUEUE + 1):
        time.sleep(CAMERA_PERIOD_S)
        camera.publish(Frame(seq, 0, 0.0, make_image()))
    seqs: list[int] = []
    while not seqs or seqs[-1] < QUEUE:
        assert reader.socket.poll(1000), f"nothing came after {seqs}"
        frame = reader.receive()
        assert frame is not None
        seqs.append(frame.seq)
    assert len(seqs) <= 2, "the last one may have been on its way still"
    assert len(seqs) + reader.missed == QUEUE
    camera.close()
    reader.close()
