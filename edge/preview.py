"""Now and then a small picture for other hosts: off unless the user turned it on.

The only way by which frames leave the device. Takes frames, says `preview` messages.
"""

import cv2

from edge.bus.frames import Frame
from edge.bus.messages import Preview
from edge.bus.pubsub import Publisher

MAX_WIDTH_PX = 320
NEVER = float("inf")
QUALITY = 70
"""JPEG's, of 100; about 10 kB a picture."""


class Previewer:
    """Publishes some of the frames as JPEG."""

    def __init__(self, publisher: Publisher, rate_hz: float) -> None:
        """`rate_hz`: pictures a second at the most; 0 = none."""
        self._publisher = publisher
        self._period_ns = 1e9 / rate_hz if rate_hz else NEVER
        self._next_ns = 0.0 if rate_hz else NEVER

    def show(self, frame: Frame) -> None:
        """Publish this frame, if one is due."""
        if frame.t_ns < self._next_ns:
            return
        self._next_ns = frame.t_ns + self._period_ns
        width, height = frame.size
        scale = min(1.0, MAX_WIDTH_PX / width)
        size = (round(width * scale), max(1, round(height * scale)))
        small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        made, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        assert made
        self._publisher.publish(
            "preview",
            Preview(
                t_ns=frame.t_ns,
                time=frame.time,
                frame_seq=frame.seq,
                size=size,
                jpeg=jpeg.tobytes(),
            ),
        )
