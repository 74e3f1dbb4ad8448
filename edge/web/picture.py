"""A picture for browsers: one frame as JPEG, and what was found in that very frame.

Frames are fetched one at a time and only when somebody looks: the camera sends none to who does not
subscribe. A frame then waits for its own faces.
"""

import io
import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

from PIL import Image

from edge.bus.frames import FrameSubscriber, RawFrame
from edge.bus.messages import FaceMessage
from edge.bus.pubsub import age_ms
from edge.runtime.loop import Loop, Timer

MAX_SIDE_PX = 800
"""Larger frames are halved until they fit."""
QUALITY = 70
WAITING = 6
"""Frames kept until their faces come: at 30 Hz those may take 0.2 s."""
MAX_WAIT_S = 0.5
"""For faces, then the frame goes without."""


class Picture(NamedTuple):
    """What one packet of the live page shows."""

    frame_seq: int
    jpeg: bytes
    face: FaceMessage | None
    """Of this frame; None = faces are not looked for now."""
    size: tuple[int, int]
    """(width, height) px of the frame, in which the boxes are."""
    time: float
    """Of the capture, Unix s."""
    age_ms: float
    """From the capture to the JPEG."""


class PictureSource:
    """Fetches a picture when it is asked to."""

    def __init__(
        self,
        frames: FrameSubscriber,
        loop: Loop,
        on_picture: Callable[[Picture], None],
        has_faces: Callable[[], bool],
    ) -> None:
        """`has_faces`: whether results of the face process come now."""
        self._frames = frames
        self._loop = loop
        self._on_picture = on_picture
        self._has_faces = has_faces
        self._waiting: deque[RawFrame] = deque(maxlen=WAITING)
        self._timer: Timer | None = None
        self._encoder = Encoder()
        self.encoded = 0
        """Pictures that were made."""
        frames.pause()

    @property
    def is_busy(self) -> bool:
        """A picture was asked for, and has not come yet."""
        return self._timer is not None

    def request(self) -> None:
        """Have `on_picture` called, once, as soon as there is one."""
        if self.is_busy:
            return
        self._frames.resume()
        self._loop.add_reader(self._frames.socket, self._on_frame)
        self._timer = self._loop.call_later(MAX_WAIT_S, self._on_timeout)

    def _on_frame(self) -> None:
        frame = self._frames.receive_raw()
        if frame is None:
            return
        self._waiting.append(frame)
        if not self._has_faces():
            self._finish(frame, None)

    def on_face(self, face: FaceMessage) -> None:
        """Faces came; is their frame here?"""
        frame = next((f for f in self._waiting if f.seq == face.frame_seq), None)
        if frame is not None and self.is_busy:
            self._finish(frame, face)

    def _on_timeout(self) -> None:
        if self._waiting:
            self._finish(self._waiting[-1], None)
        else:
            self.cancel()

    def _finish(self, frame: RawFrame, face: FaceMessage | None) -> None:
        self.cancel()
        self.encoded += 1
        jpeg = self._encoder.encode(frame)
        age = age_ms(frame.t_ns)
        self._on_picture(Picture(frame.seq, jpeg, face, frame.size, frame.time, age))

    def cancel(self) -> None:
        """Nobody looks any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.remove_reader(self._frames.socket)
            self._frames.pause()
        self._waiting.clear()


class Encoder:
    """Makes JPEGs of at most MAX_SIDE_PX in an image that it keeps: a new one costs as much."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (1, 1))

    def encode(self, frame: RawFrame) -> bytes:
        """Takes 2 ms for 640x480 px on a desktop."""
        if self._image.size != frame.size:
            self._image = Image.new("RGB", frame.size)
        # Pillow reads any buffer; its types name bytes only.
        self._image.frombytes(cast(bytes, frame.pixels), "raw", "BGR")
        factor = math.ceil(max(frame.size) / MAX_SIDE_PX)
        image = self._image.reduce(factor) if factor > 1 else self._image
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=QUALITY)
        return jpeg.getvalue()
