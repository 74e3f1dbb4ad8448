"""The camera's process: opens the source, publishes every frame with its capture time.

A camera that is lost is reported and opened again, after ever longer pauses. Small JPEG previews
for other hosts are off unless the user turned them on: the only way by which images leave the
device.
"""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import cv2

from edge.bus.frames import Frame, FramePublisher
from edge.bus.messages import Preview
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.devices.camera import open_camera
from edge.devices.camera.reader import Reader
from edge.devices.camera.source import OFF, Camera, CameraError, SourceError, check_source
from edge.runtime.loop import Loop
from edge.services.health import Health, serve_off

log = logging.getLogger(__name__)

PROBLEM = "frames"
CHECK_S = 0.25
MAX_SILENCE_S = 1.5
"""After this long without a frame the camera counts as lost, although it reports no error."""
MAX_SILENCE_FRAMES = 3
"""Of a slow camera this many frames are waited for."""
OPEN_TIMEOUT_S = 15.0
"""Opening a stream or a pipeline may take this long; every source gives up sooner by itself."""
RETRY_S, MAX_RETRY_S = 0.5, 5.0
PREVIEW_WIDTH_PX = 320
PREVIEW_QUALITY = 70
"""JPEG's, of 100; about 10 kB an image."""


class Previewer:
    """Publishes some of the frames as small JPEG images."""

    def __init__(self, publisher: Publisher, rate_hz: float) -> None:
        """`rate_hz`: images a second at most; 0 = none."""
        self._publisher = publisher
        self._period_ns = 1e9 / rate_hz if rate_hz else float("inf")
        self._next_ns = 0.0 if rate_hz else float("inf")

    def on_frame(self, frame: Frame) -> None:
        """Publish this frame, if one is due."""
        if frame.t_ns < self._next_ns:
            return
        self._next_ns = frame.t_ns + self._period_ns
        size, jpeg = preview_of(frame)
        message = Preview(
            t_ns=frame.t_ns, time=frame.time, frame_seq=frame.seq, size=size, jpeg=jpeg
        )
        self._publisher.publish("preview", message)


def preview_of(frame: Frame) -> tuple[tuple[int, int], bytes]:
    """(w, h) px and the JPEG of a frame, scaled down."""
    width, height = frame.size
    scale = min(1.0, PREVIEW_WIDTH_PX / width)
    size = (round(width * scale), max(1, round(height * scale)))
    small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    encoded, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
    assert encoded
    return size, jpeg.tobytes()


class CameraService:
    """Keeps a camera open and publishes its frames."""

    def __init__(
        self,
        open_source: Callable[[], Camera],
        frames: FramePublisher,
        previewer: Previewer,
        health: Health,
        loop: Loop,
        max_silence_s: float,
    ) -> None:
        """`max_silence_s`: after this long without a frame the camera counts as lost."""
        self._open_source = open_source
        self._frames = frames
        self._previewer = previewer
        self._health = health
        self._loop = loop
        self._max_silence_s = max_silence_s
        self._seq = 0
        self._retry_s = RETRY_S
        self._dropped = 0
        self.open()

    def open(self) -> None:
        """Start reading in a thread of its own."""
        self._last_s = time.monotonic()
        self._watchdog_s = max(OPEN_TIMEOUT_S, self._max_silence_s)
        self._reader = Reader(
            self._open_source,
            self._loop.call_soon_threadsafe,
            self.on_open,
            self.on_capture,
            self.on_end,
        )
        self._reader.start()

    def on_open(self, camera: Camera) -> None:
        log.info("reading %s", camera.about)
        self._health.about = camera.about

    def on_capture(self) -> None:
        """Publish the newest frame."""
        capture = self._reader.take()
        if capture is None:
            return
        frame = Frame(self._seq, *capture)
        self._frames.publish(frame)
        self._previewer.on_frame(frame)
        self._seq += 1
        self._last_s = time.monotonic()
        self._watchdog_s = self._max_silence_s
        self._retry_s = RETRY_S
        self._health.dropped = self._dropped + self._reader.dropped
        self._health.count()
        self._health.clear_problem(PROBLEM)
        self._health.ready()

    def on_end(self, error: Exception) -> None:
        """Report a lost camera and open it again later; any other error escapes.

        A source that gave frames can be lost, too: a video file that was deleted.
        """
        lost = isinstance(error, CameraError) or (self._seq and isinstance(error, SourceError))
        if not lost:
            raise error
        self._health.set_problem(PROBLEM, str(error))
        self._health.ready()
        self._dropped += self._reader.dropped
        self._loop.call_later(self._retry_s, self.open)
        self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)

    def check(self) -> None:
        """Notice a camera that neither delivers nor fails.

        Waiting for the next attempt is progress. Hanging in a driver is not: only a new process
        helps.
        """
        silent_s = time.monotonic() - self._last_s
        reading = self._reader.is_alive()
        if reading and silent_s > self._max_silence_s:
            self._health.set_problem(PROBLEM, f"no frame for {self._max_silence_s:g} s")
            self._health.ready()
        if not reading or silent_s <= self._watchdog_s:
            self._health.feed_watchdog()

    def close(self) -> None:
        self._reader.stop()


def run(config: Config, loop: Loop) -> None:
    """Serve the configured camera until the loop stops. Raises SourceError."""
    camera = config.camera
    if camera.source == OFF:
        with closing(Publisher(config.endpoint("in"), config.device_name)) as publisher:
            serve_off(Health(publisher, "camera", loop), loop)
        return
    check_source(camera.source)
    serve(
        config,
        loop,
        partial(
            open_camera, camera.source, camera.width, camera.height, camera.rate_hz, camera.rotate
        ),
    )


def serve(config: Config, loop: Loop, open_source: Callable[[], Camera]) -> None:
    """Serve what `open_source` opens until the loop stops."""
    camera = config.camera
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(FramePublisher(config.endpoint("frames"))) as frames,
    ):
        service = CameraService(
            open_source,
            frames,
            Previewer(publisher, camera.preview_hz),
            Health(publisher, "camera", loop),
            loop,
            max(MAX_SILENCE_S, MAX_SILENCE_FRAMES / camera.rate_hz),
        )
        loop.call_every(CHECK_S, service.check)
        with closing(service):
            loop.run()
