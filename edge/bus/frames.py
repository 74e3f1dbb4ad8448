"""Frames, straight from the camera to whoever looks: one part, a fixed header and then the pixels.

A reader that is behind takes all that waits and keeps the newest. ZeroMQ's CONFLATE would do that
by itself, but up to libzmq 4.3.5 it loses the memory of a frame whenever reader and network meet
(github.com/zeromq/libzmq/pull/4925): ten megabytes an hour on a busy machine.
"""

import logging
import struct
from typing import TYPE_CHECKING, NamedTuple

import zmq

from edge.bus.messages import BadMessageError
from edge.bus.pubsub import age_ms
from edge.bus.sockets import bind, connect, make_socket

if TYPE_CHECKING:  # the web process reads frames without numpy
    import numpy as np
    import numpy.typing as npt

log = logging.getLogger(__name__)

FRAME_MAGIC = b"EEF1"
FRAME_HEADER = struct.Struct("<4sIIIQQd")
"""magic, width px, height px, channels, seq, t_ns, Unix time s"""


QUEUE = 8
"""Frames that wait at a reader; one that was away for longer sees an old one first."""
CATCH_UP_MS = 2
"""A frame that was held back by a full queue arrives within this."""
MAX_SKIPPED = 20
"""More than all queues on the way hold."""


class Frame(NamedTuple):
    """An image and when it was captured."""

    seq: int
    t_ns: int
    """CLOCK_MONOTONIC, ns"""
    time: float
    """Unix time, s"""
    image: "npt.NDArray[np.uint8]"
    """(height, width, 3) BGR"""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px"""
        return self.image.shape[1], self.image.shape[0]

    def age_ms(self) -> float:
        """From capture to now."""
        return age_ms(self.t_ns)


class RawFrame(NamedTuple):
    """A frame as it came, for those who do without numpy."""

    seq: int
    t_ns: int
    """CLOCK_MONOTONIC, ns"""
    time: float
    """Unix time, s"""
    size: tuple[int, int]
    """(width, height) px"""
    pixels: memoryview
    """width * height * 3 bytes, BGR, row by row; read-only"""


class FramePublisher:
    """The camera's end: binds, and sends every frame to whoever looks."""

    def __init__(self, endpoint: str) -> None:
        self.socket = make_socket(zmq.PUB)
        self.socket.setsockopt(zmq.SNDHWM, 1)
        bind(self.socket, endpoint)

    def publish(self, frame: Frame) -> None:
        """Send; a reader that is behind misses it. `frame.image`: (height, width, 3) uint8."""
        self.socket.send(pack_frame(frame))

    def close(self) -> None:
        self.socket.close()


class FrameSubscriber:
    """A reader's end: gives the newest frame only."""

    def __init__(self, endpoint: str) -> None:
        self.socket = make_socket(zmq.SUB)
        self.socket.setsockopt(zmq.MAXMSGSIZE, -1)
        self.socket.setsockopt(zmq.RCVHWM, QUEUE)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        connect(self.socket, endpoint)
        self.bad = 0
        self.missed = 0
        """Frames that came and went while the reader was busy."""
        self._last_seq: int | None = None

    def receive(self) -> Frame | None:
        """The newest frame, or None where nothing new waits. Its image is read-only."""
        raw = self.receive_raw()
        return None if raw is None else with_image(raw)

    def receive_raw(self) -> RawFrame | None:
        """As `receive`, without numpy."""
        part = self._newest_part()
        if part is None:
            return None
        try:
            frame = unpack_raw(part.buffer)
        except BadMessageError as error:
            if not self.bad:
                log.warning("ignored a bad frame: %s (more are only counted)", error)
            self.bad += 1
            return None
        self._count_missed(frame.seq)
        return frame

    def pause(self) -> None:
        """Have the publisher send no more."""
        self.socket.setsockopt(zmq.UNSUBSCRIBE, b"")

    def resume(self) -> None:
        """Have it send again; what came before is forgotten."""
        while self.socket.poll(0):
            self.socket.recv(zmq.NOBLOCK, copy=False)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")

    def _newest_part(self) -> zmq.Frame | None:
        """Take what waits. Where that is more than one, older ones may be on their way: wait."""
        newest = None
        for taken in range(MAX_SKIPPED):
            if not self.socket.poll(CATCH_UP_MS if taken > 1 else 0):
                break
            newest = self.socket.recv(zmq.NOBLOCK, copy=False)
        return newest

    def _count_missed(self, seq: int) -> None:
        """A lower `seq` than the last is a camera that was started again, not a loss."""
        if self._last_seq is not None and seq > self._last_seq:
            self.missed += seq - self._last_seq - 1
        self._last_seq = seq

    def close(self) -> None:
        self.socket.close()


def pack_frame(frame: Frame) -> bytes:
    """Header and pixels in one part."""
    height, width, channels = frame.image.shape
    header = FRAME_HEADER.pack(
        FRAME_MAGIC, width, height, channels, frame.seq, frame.t_ns, frame.time
    )
    pixels = frame.image if frame.image.flags.c_contiguous else frame.image.copy()
    return b"".join((header, pixels.data.cast("B")))


def unpack_frame(part: "bytes | memoryview") -> Frame:
    """The reverse of pack_frame, without a copy. Raises BadMessageError."""
    return with_image(unpack_raw(part))


def with_image(raw: RawFrame) -> Frame:
    """The same as an array, without a copy."""
    import numpy as np

    width, height = raw.size
    pixels = np.frombuffer(raw.pixels, np.uint8)
    return Frame(raw.seq, raw.t_ns, raw.time, pixels.reshape(height, width, 3))


def unpack_raw(part: "bytes | memoryview") -> RawFrame:
    """Header and pixels, without a copy. Raises BadMessageError."""
    if len(part) < FRAME_HEADER.size:
        raise BadMessageError(f"{len(part)} bytes are no frame")
    magic, width, height, channels, seq, t_ns, taken = FRAME_HEADER.unpack_from(part)
    if magic != FRAME_MAGIC or channels != 3 or not width * height:
        raise BadMessageError("a header that is not a frame's")
    if len(part) != FRAME_HEADER.size + width * height * channels:
        raise BadMessageError(f"{len(part)} bytes do not hold {width}x{height} px")
    pixels = memoryview(part).toreadonly()[FRAME_HEADER.size :]
    return RawFrame(seq, t_ns, taken, (width, height), pixels)
