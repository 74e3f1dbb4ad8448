"""Films with a known face in them."""

from pathlib import Path

import cv2
import numpy as np

from tests.support.camera import make_image

RATE_HZ = 10


def write_film(path: Path, seen: int, empty: int = 0) -> Path:
    """A face for `seen` frames, then `empty` frames of grey; 10 a second, 320x240 px."""
    face = make_image(320, 240)
    kind = cv2.VideoWriter.fourcc(*"mp4v")
    film = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, kind, RATE_HZ, (320, 240))
    assert film.isOpened()
    for image in [face] * seen + [np.full_like(face, 128)] * empty:
        film.write(image)
    film.release()
    return path
