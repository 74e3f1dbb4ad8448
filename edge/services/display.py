"""The display's process: frames and what was found in them, on whatever screen there is.

A frame waits a moment for its own faces, so that the boxes are on the faces they belong to. Decides
when to draw and for how long to wait; what it looks like is decided in edge.overlay.
"""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import msgspec

from edge import overlay
from edge.bus.frames import Frame, FrameSubscriber
from edge.bus.messages import AudioMessage, FaceMessage, HealthMessage, Message, Press
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import Config
from edge.devices.screen import Screen, ScreenError, check_screen
from edge.devices.screen.screens import open_screen
from edge.language import load_language
from edge.overlay import Snapshot
from edge.overlay.mirror import mirrored, mirrored_message
from edge.policy.frame_sync import MAX_WAIT_S, FrameQueue, FrameStats
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

SUBSCRIBED = ("face", "audio", "recording", "emotion", "health.")
TICK_S = 0.05
"""Keys are polled this often."""
REDRAW_S, IDLE_REDRAW_S = 0.1, 1.0
"""While no frame comes, news is drawn after the first, and ages and health after the second."""
REPORT_S = 1.0
RETRY_S, MAX_RETRY_S = 1.0, 10.0
"""A screen that is switched on later is used within this."""


class DisplayService:
    """Draws frames on a screen, and handles its keys."""

    def __init__(
        self,
        open_screen: Callable[[], Screen],
        open_frames: Callable[[], FrameSubscriber],
        subscriber: Subscriber,
        publisher: Publisher,
        health: Health,
        loop: Loop,
        config: Config,
    ) -> None:
        self._open_screen = open_screen
        self._open_frames = open_frames
        self._subscriber = subscriber
        self._publisher = publisher
        self._health = health
        self._loop = loop
        self._mirror = config.camera.mirror
        self._screen = Screen()
        self._frames: FrameSubscriber | None = None
        self._frame: Frame | None = None
        self._is_new = self._has_news = False
        self._queue: FrameQueue[Frame] = FrameQueue()
        self._stats = FrameStats()
        self._retry_s = RETRY_S
        self._drawn_s = 0.0
        self._missed = 0
        now_ns = time.monotonic_ns()
        self._snapshot = Snapshot(
            now_ns=now_ns,
            since_ns=now_ns,
            recording_s=config.audio.duration_s,
            language=load_language(config.display.language),
            notice=config.display.notice,
        )

    def open(self) -> None:
        """Find a screen; where there is none, try again later."""
        try:
            self._screen = self._open_screen()
        except ScreenError as error:
            self._on_screen_lost(error)
            return
        if self._health.about != self._screen.name:
            log.info("screen: %s", self._screen.name)
        self._health.about = self._screen.name
        if self._screen.size == (0, 0):
            self._health.clear_problem("screen")
            self._try_again_later()
            return
        self._frames = self._open_frames()
        self._loop.add_reader(self._frames.socket, self.on_frame)

    def _on_screen_lost(self, error: ScreenError) -> None:
        self._health.set_problem("screen", str(error))
        self.close()
        self._try_again_later()

    def _try_again_later(self) -> None:
        self._loop.call_later(self._retry_s, self.open)
        self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)

    def on_message(self) -> None:
        """Take what is new; a frame whose faces came is shown."""
        for topic, message in self._subscriber.receive():
            shown = mirrored_message(message) if self._mirror else message
            self._snapshot = self._snapshot.with_message(topic, shown)
            self._remember(message)
            self._has_news = self._has_news or not isinstance(message, HealthMessage)
            if isinstance(message, FaceMessage):
                self._show(self._queue.take(message.frame_seq))

    def _remember(self, message: Message) -> None:
        """Add it to the last minute."""
        t_s = message.t_ns / 1e9
        if isinstance(message, FaceMessage):
            labels = {face.id: face.emotion for face in message.faces}
            self._snapshot.timeline.add_faces(t_s, labels)
        elif isinstance(message, AudioMessage) and message.emotion is not None:
            self._snapshot.timeline.add_voice(t_s - message.duration_s, t_s, message.emotion)

    def on_frame(self) -> None:
        """Show it at once if its faces came already or no face process runs; else let it wait."""
        frame = self._frames.receive() if self._frames else None
        if frame is None:
            return
        self._stats.add_arrival(time.monotonic_ns())
        self._queue.add(frame)
        if self._snapshot.is_missing("face") or self._has_faces_of(frame):
            self._show(self._queue.take(frame.seq))
        else:
            self._loop.call_later(MAX_WAIT_S - frame.age_ms() / 1e3, self._show_due)

    def _has_faces_of(self, frame: Frame) -> bool:
        return self._snapshot.face is not None and self._snapshot.face.frame_seq == frame.seq

    def _show_due(self) -> None:
        self._show(self._queue.take_due(time.monotonic_ns()))

    def _show(self, frame: Frame | None) -> None:
        """Show a new frame, as soon as the screen takes one."""
        if frame is None or self._frames is None:
            return
        if self._frame is None or self._frame.size != frame.size:
            self._screen.resize(overlay.natural_size(frame.size))
        self._frame, self._is_new = frame, True
        if time.monotonic() - self._drawn_s >= self._screen.period_s:
            self._draw()

    def _draw(self) -> None:
        """Put the frame and the newest messages on the screen."""
        self._drawn_s = time.monotonic()
        self._has_news = False
        image = self._frame.image if self._frame else None
        if image is not None and self._mirror:
            image = mirrored(image)
        try:
            self._screen.show(overlay.render(image, self._snapshot_now(), self._screen.size))
        except ScreenError as error:
            self._on_screen_lost(error)
            return
        self._retry_s = RETRY_S
        self._health.clear_problem("screen")
        self._health.feed_watchdog()
        self._poll_key()
        if self._frame is not None and self._is_new:
            self._is_new = False
            self._stats.add_shown(self._frame.age_ms())
            self._health.count()

    def _snapshot_now(self) -> Snapshot:
        self._snapshot = msgspec.structs.replace(
            self._snapshot,
            now_ns=time.monotonic_ns(),
            frame_t_ns=self._frame.t_ns if self._frame else None,
            rate_hz=self._stats.rate_hz,
            lag_ms=self._stats.lag_ms,
            has_keys=self._screen.has_keys,
        )
        return self._snapshot

    def on_tick(self) -> None:
        """Poll keys, and redraw while no frame comes."""
        if self._frames is None:
            return
        self._poll_key()
        redraw_s = REDRAW_S if self._has_news else IDLE_REDRAW_S
        if time.monotonic() - self._drawn_s >= self._screen.period_s + redraw_s:
            self._draw()

    def _poll_key(self) -> None:
        key = self._screen.poll()
        if key is not None:
            self.on_key(key)

    def on_key(self, key: str) -> None:
        """`a` is a press of the button; `q` ends this process, and with it `run`."""
        if key == "q":
            self._loop.stop()
        elif key == "a":
            press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="key")
            self._publisher.publish("press", press)

    def report(self) -> None:
        """Publish in health what is shown, where, and how late."""
        self._health.dropped = self._queue.skipped + self._missed
        if self._frames is None:
            self._health.feed_watchdog()  # no screen, and the next attempt is scheduled
            return
        self._health.dropped += self._frames.missed
        width, height = self._screen.size
        about = f"{self._screen.name} {width}x{height}"
        p95_ms = self._stats.p95_ms
        self._health.about = about if p95_ms is None else f"{about}, frame age {p95_ms:.0f} ms p95"

    def close(self) -> None:
        """Give the screen back."""
        if self._frames is not None:
            self._missed += self._frames.missed
            self._loop.remove_reader(self._frames.socket)
            self._frames.close()
            self._frames = None
        self._screen.close()
        self._screen = Screen()


def run(config: Config, loop: Loop) -> None:
    """Show on the configured screen until stopped, or until somebody presses q."""
    display = config.display
    check_screen(display.screen)
    serve(
        config,
        loop,
        partial(open_screen, display.screen, display.framebuffer, fullscreen=display.fullscreen),
    )


def serve(config: Config, loop: Loop, open_screen: Callable[[], Screen]) -> None:
    """Show on what `open_screen` opens until the loop stops."""
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(config.endpoint("out"), SUBSCRIBED)) as subscriber,
    ):
        health = Health(publisher, "display", loop)
        service = DisplayService(
            open_screen,
            partial(FrameSubscriber, config.endpoint("frames")),
            subscriber,
            publisher,
            health,
            loop,
            config,
        )
        loop.add_reader(subscriber.socket, service.on_message)
        loop.call_every(TICK_S, service.on_tick)
        loop.call_every(REPORT_S, service.report)
        with closing(service):
            service.open()
            health.ready()
            loop.run()
