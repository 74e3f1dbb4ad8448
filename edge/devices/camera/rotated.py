"""A camera that hangs head down or on its side, as if it stood upright.

Every other camera is wrapped in it where the settings turn the picture, so that nothing behind it
knows of that.
"""

import cv2
import numpy as np

from edge.devices.camera.source import Camera
from edge.types import Image

TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
"""{degrees clockwise: OpenCV's name}"""


def rotated(image: Image, degrees: int) -> Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.asarray(cv2.rotate(image, TURNS[degrees]), np.uint8) if degrees else image


class RotatedCamera:
    """Another camera's frames, turned clockwise."""

    def __init__(self, camera: Camera, degrees: int) -> None:
        """`degrees`: 90, 180 or 270; with 90 and 270 a frame's width becomes its height."""
        self._camera = camera
        self._degrees = degrees
        self.rate_hz = camera.rate_hz
        self.about = f"{camera.about}, rotated by {degrees}°"

    def read(self) -> Image:
        return rotated(self._camera.read(), self._degrees)

    def close(self) -> None:
        self._camera.close()
