"""Frames as the camera process publishes them."""

import time

import cv2
import numpy as np

from edge.bus.frames import Frame, FramePublisher
from edge.config import Config
from tests.support.harness import ROOT

PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"


def make_image(width: int = 640, height: int = 480) -> np.ndarray:
    """One real face on grey."""
    portrait = cv2.imread(str(PORTRAIT))
    side = min(width, height)
    image = np.full((height, width, 3), 128, np.uint8)
    image[:side, :side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    return image


class Camera:
    """Sends images as the camera process does."""

    def __init__(self, config: Config) -> None:
        self.publisher = FramePublisher(config.endpoint("frames"))
        self.seq = 0

    def show(self, image: np.ndarray) -> int:
        self.publisher.publish(Frame(self.seq, time.monotonic_ns(), time.time(), image))
        self.seq += 1
        return self.seq - 1
