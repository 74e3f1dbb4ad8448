"""The camera's process: opens the source, publishes every frame with its capture time.

A camera that is lost is said to be lost and opened again, ever more patiently. Of frames that the
loop has not taken yet only the newest waits.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from edge.bus.frames import Frame, FramePublisher
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.devices.camera.source import Camera, CameraError, SourceError, check_source, open_camera
from edge.preview import Previewer
from edge.runtime.loop import Loop
from edge.services.health import Health

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

PROBLEM = "pictures"
CHECK_S = 0.25
SILENCE_S = 1.5
"""After this long without a frame the camera counts as lost, although it says nothing."""
SLOW_FRAMES = 3
"""Of a camera slower than that, so many are waited for."""
OPEN_S = 15.0
"""Opening a stream or a pipeline may take this long; every source gives up sooner by itself."""
RETRY_S, MAX_RETRY_S = 0.5, 5.0
CLOSE_TIMEOUT_S = 1.0


class Shot(NamedTuple):
    """A picture and the moment at which the camera gave it."""

    t_ns: int
    time: float
    image: "NDArray[np.uint8]"


class Reader(threading.Thread):
    """One life of an open camera: opens it, reads until that fails, and ends.

    Calls `on_open(camera)`, `on_shot()` and `on_end(error)` in the loop's thread.
    """

    def __init__(
        self,
        open_source: Callable[[], Camera],
        loop: Loop,
        on_open: Callable[[Camera], None],
        on_shot: Callable[[], None],
        on_end: Callable[[Exception], None],
    ) -> None:
        super().__init__(name="camera", daemon=True)  # a device that hangs must not hold us
        self._open_source = open_source
        self._loop = loop
        self._on_open = on_open
        self._on_shot = on_shot
        self._on_end = on_end
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._newest: Shot | None = None
        self.dropped = 0
        """Shots that a newer one replaced."""

    def run(self) -> None:
        try:
            with closing(self._open_source()) as camera:
                self._loop.call_soon_threadsafe(partial(self._on_open, camera))
                while not self._stopped.is_set():
                    image = camera.read()
                    self._offer(Shot(time.monotonic_ns(), time.time(), image))
        except Exception as error:  # raised again, or reported, by the loop's thread
            self._loop.call_soon_threadsafe(partial(self._on_end, error))

    def _offer(self, shot: Shot) -> None:
        with self._lock:
            replaced, self._newest = self._newest, shot
        if replaced is None:
            self._loop.call_soon_threadsafe(self._on_shot)
        else:
            self.dropped += 1

    def take(self) -> Shot | None:
        """The newest shot, once."""
        with self._lock:
            shot, self._newest = self._newest, None
        return shot

    def stop(self) -> None:
        """Ask it to end, and give it a moment to close the device."""
        self._stopped.set()
        self.join(CLOSE_TIMEOUT_S)


class CameraService:
    """Keeps a camera open and publishes what it sees."""

    def __init__(
        self,
        open_source: Callable[[], Camera],
        frames: FramePublisher,
        previewer: Previewer,
        health: Health,
        loop: Loop,
        silence_s: float,
    ) -> None:
        """`silence_s`: after this long without a frame the camera counts as lost."""
        self._open_source = open_source
        self._frames = frames
        self._previewer = previewer
        self._health = health
        self._loop = loop
        self._silence_s = silence_s
        self._seq = 0
        self._retry_s = RETRY_S
        self._dropped = 0
        self.open()

    def open(self) -> None:
        """Start reading in a thread of its own."""
        self._last_s = time.monotonic()
        self._patience_s = max(OPEN_S, self._silence_s)
        self._reader = Reader(
            self._open_source, self._loop, self.on_open, self.on_shot, self.on_end
        )
        self._reader.start()

    def on_open(self, camera: Camera) -> None:
        log.info("reading %s", camera.about)
        self._health.about = camera.about

    def on_shot(self) -> None:
        shot = self._reader.take()
        if shot is None:
            return
        frame = Frame(self._seq, shot.t_ns, shot.time, shot.image)
        self._frames.publish(frame)
        self._previewer.show(frame)
        self._seq += 1
        self._last_s = time.monotonic()
        self._patience_s = self._silence_s
        self._retry_s = RETRY_S
        self._health.dropped = self._dropped + self._reader.dropped
        self._health.count()
        self._health.clear_problem(PROBLEM)
        self._health.ready()

    def on_end(self, error: Exception) -> None:
        """Report a lost camera and open it again later; whatever else it is escapes.

        A source that gave pictures can be one: a film that was deleted is lost, too.
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

        FrameQueue for the next try is alive. Hanging in a driver is not: only a new process helps.
        """
        silent_s = time.monotonic() - self._last_s
        reading = self._reader.is_alive()
        if reading and silent_s > self._silence_s:
            self._health.set_problem(PROBLEM, f"no picture for {self._silence_s:g} s")
            self._health.ready()
        if not reading or silent_s <= self._patience_s:
            self._health.feed_watchdog()

    def close(self) -> None:
        self._reader.stop()


def run(config: Config, loop: Loop) -> None:
    settings = config.camera
    check_source(settings.source)
    publisher = Publisher(config.endpoint("in"), config.device_name)
    frames = FramePublisher(config.endpoint("frames"))
    service = CameraService(
        partial(open_camera, settings.source, settings.width, settings.height, settings.rate_hz),
        frames,
        Previewer(publisher, settings.preview_hz),
        Health(publisher, "camera", loop),
        loop,
        max(SILENCE_S, SLOW_FRAMES / settings.rate_hz),
    )
    loop.call_every(CHECK_S, service.check)
    try:
        loop.run()
    finally:
        service.close()
        frames.close()
        publisher.close()
