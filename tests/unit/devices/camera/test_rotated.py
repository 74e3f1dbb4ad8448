"""Cameras that do not stand upright, of every kind that needs no device."""

import shutil
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.devices.camera import open_camera
from edge.types import Image

TURNED_CORNERS = {0: "top left", 90: "top right", 180: "foot right", 270: "foot left"}


@pytest.fixture
def corner() -> Image:
    """Dark, with a bright corner at the top left: 64x48."""
    image = np.full((48, 64, 3), 20, np.uint8)
    image[:16, :16] = 220
    return image


def bright_corner(image: Image) -> str:
    height, width = image.shape[:2]
    corners = {
        "top left": image[:8, :8],
        "top right": image[:8, width - 8 :],
        "foot left": image[height - 8 :, :8],
        "foot right": image[height - 8 :, width - 8 :],
    }
    return max(corners, key=lambda name: float(corners[name].mean()))


def still(folder: Path, image: Image) -> str:
    cv2.imwrite(str(folder / "still.png"), image)
    return str(folder / "still.png")


def film(folder: Path, image: Image) -> str:
    path = str(folder / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(3):
        writer.write(image)
    writer.release()
    return path


def pipeline(_folder: Path, _image: Image) -> str:
    """Colour bars, of which the one at the top left is the brightest corner."""
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("no gst-launch-1.0 (gstreamer1.0-tools)")
    return "videotestsrc pattern=smpte ! identity"


@pytest.mark.parametrize("source", [still, film, pipeline])
@pytest.mark.parametrize("degrees", TURNED_CORNERS)
def test_a_source_of_any_kind_is_turned_clockwise(
    source: "type[still]", degrees: int, tmp_path: Path, corner: Image
) -> None:
    with closing(open_camera(source(tmp_path, corner), 64, 48, 30.0, degrees)) as camera:
        image = camera.read()
    assert image.shape == ((64, 48, 3) if degrees in (90, 270) else (48, 64, 3))
    assert image.flags.c_contiguous
    assert bright_corner(image) == TURNED_CORNERS[degrees]


def test_a_turned_camera_tells_that_it_is_and_closes_the_one_behind_it() -> None:
    camera = open_camera("demo", 64, 48, 30.0, 180)
    assert camera.about == "demo 64x48 at 30 Hz, rotated by 180°"
    assert camera.rate_hz == 30
    camera.close()
