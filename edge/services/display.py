"""The process that shows: frames from the camera and what is known of them, on whatever screen.

A frame waits a moment for its own faces, so that the boxes sit on the face they belong to. Knows
when to draw and when to give up waiting; what it looks like is edge.overlay's.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge import overlay
from edge.bus.frames import Frame, FrameSubscriber
from edge.bus.messages import FaceMessage, Message, Press
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import Config
from edge.devices.screen.screens import Screen, ScreenError, open_screen
from edge.errors import ConfigError
from edge.overlay import Snapshot
from edge.paths import is_folder
from edge.policy.frame_sync import PATIENCE_S, FrameQueue, Pace
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

TOPICS = ("face", "audio", "recording", "emotion", "health.")
TICK_S = 0.05
"""Keys are looked for this often."""
STILL_S, CALM_S = 0.1, 1.0
"""While no frame comes, news is drawn after the first, and ages and health after the second."""
RETRY_S, RETRY_MAX_S = 1.0, 10.0
"""A screen that is switched on later shows a picture within this."""
SCREENS = ("auto", "window", "framebuffer", "none")


class Display:
    """Draws frames on a screen, and passes its keys on."""

    def __init__(
        self,
        open_screen: Callable[[], Screen],
        open_frames: Callable[[], FrameSubscriber],
        subscriber: Subscriber,
        publisher: Publisher,
        health: Health,
        loop: Loop,
        recording_s: float,
    ) -> None:
        self._open_screen = open_screen
        self._open_frames = open_frames
        self._subscriber = subscriber
        self._publisher = publisher
        self._health = health
        self._loop = loop
        self._screen = Screen()
        self._frames: FrameSubscriber | None = None
        self._frame: Frame | None = None
        self._is_new = self._has_news = False
        self._waiting: FrameQueue[Frame] = FrameQueue()
        self._pace = Pace()
        self._retry_s = RETRY_S
        self._drawn_s = 0.0
        self._missed = 0
        now_ns = time.monotonic_ns()
        self._known = Snapshot(now_ns=now_ns, since_ns=now_ns, recording_s=recording_s)
        loop.add_reader(subscriber.socket, self.messages_came)
        loop.call_every(TICK_S, self.tick)
        loop.call_every(1.0, self.describe)

    def open(self) -> None:
        """Find a screen; where there is none, look again later."""
        try:
            self._screen = self._open_screen()
        except ScreenError as error:
            self._lose_screen(error)
            return
        if self._health.about != self._screen.name:
            log.info("shows on: %s", self._screen.name)
        self._health.about = self._screen.name
        if self._screen.size == (0, 0):
            self._health.clear_problem("screen")
            self._try_again_later()
            return
        self._frames = self._open_frames()
        self._loop.add_reader(self._frames.socket, self.frame_came)

    def _lose_screen(self, error: ScreenError) -> None:
        self._health.set_problem("screen", str(error))
        self._close_screen()
        self._try_again_later()

    def _try_again_later(self) -> None:
        self._loop.call_later(self._retry_s, self.open)
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)

    def messages_came(self) -> None:
        """Take what is new; a frame whose faces came is shown."""
        for topic, message in self._subscriber.receive():
            self._learn(topic, message)
            if isinstance(message, FaceMessage):
                self._show(self._waiting.take(message.frame_seq))

    def _learn(self, topic: str, message: Message) -> None:
        kind, _, service = topic.partition(".")
        change = {**self._known.health, service: message} if service else message
        self._known = msgspec.structs.replace(self._known, **{kind: change})
        self._has_news = self._has_news or not service

    def frame_came(self) -> None:
        """Show it at once where its faces are known or nobody looks for any, else let it wait."""
        frame = self._frames.receive() if self._frames else None
        if frame is None:
            return
        self._pace.came(time.monotonic_ns())
        self._waiting.add(frame)
        if self._known.is_missing("face") or self._has_faces_of(frame):
            self._show(self._waiting.take(frame.seq))
        else:
            self._loop.call_later(PATIENCE_S - frame.age_ms() / 1e3, self._show_due)

    def _has_faces_of(self, frame: Frame) -> bool:
        return self._known.face is not None and self._known.face.frame_seq == frame.seq

    def _show_due(self) -> None:
        self._show(self._waiting.take_due(time.monotonic_ns()))

    def _show(self, frame: Frame | None) -> None:
        """Show a new frame, as soon as the screen takes one."""
        if frame is None or self._frames is None:
            return
        if self._frame is None or self._frame.size != frame.size:
            self._screen.suit(overlay.natural_size(frame.size))
        self._frame, self._is_new = frame, True
        if time.monotonic() - self._drawn_s >= self._screen.period_s:
            self._draw()

    def _draw(self) -> None:
        """Put what is known now on the screen."""
        self._drawn_s = time.monotonic()
        self._has_news = False
        image = self._frame.image if self._frame else None
        try:
            self._screen.show(overlay.render(image, self._known_now(), self._screen.size))
        except ScreenError as error:
            self._lose_screen(error)
            return
        self._retry_s = RETRY_S
        self._health.clear_problem("screen")
        self._health.feed_watchdog()
        self.look_for_keys()
        if self._frame is not None and self._is_new:
            self._is_new = False
            self._pace.shown(self._frame.age_ms())
            self._health.count()

    def _known_now(self) -> Snapshot:
        self._known = msgspec.structs.replace(
            self._known,
            now_ns=time.monotonic_ns(),
            frame_t_ns=self._frame.t_ns if self._frame else None,
            rate_hz=self._pace.rate_hz,
            lag_ms=self._pace.lag_ms,
            has_keys=self._screen.has_keys,
        )
        return self._known

    def tick(self) -> None:
        """Keep the screen alive while no frame comes."""
        if self._frames is None:
            return
        self.look_for_keys()
        still_s = STILL_S if self._has_news else CALM_S
        if time.monotonic() - self._drawn_s >= self._screen.period_s + still_s:
            self._draw()

    def look_for_keys(self) -> None:
        """`a` is a press of the button; `q` ends this process, and with it everything."""
        key = self._screen.poll()
        if key == "q":
            self._loop.stop()
        elif key == "a":
            press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="key")
            self._publisher.publish("press", press)

    def describe(self) -> None:
        """Tell health what is shown, where, and how late."""
        self._health.dropped = self._waiting.passed_over + self._missed
        if self._frames is None:
            self._health.feed_watchdog()  # no screen, and the next look for one is planned
            return
        self._health.dropped += self._frames.missed
        width, height = self._screen.size
        about = f"{self._screen.name} {width}x{height}"
        p95_ms = self._pace.p95_ms
        self._health.about = about if p95_ms is None else f"{about}, frame age {p95_ms:.0f} ms p95"

    def _close_screen(self) -> None:
        if self._frames is not None:
            self._missed += self._frames.missed
            self._loop.remove_reader(self._frames.socket)
            self._frames.close()
            self._frames = None
        self._screen.close()
        self._screen = Screen()

    def close(self) -> None:
        """Give the screen back."""
        self._close_screen()


def check_screen(kind: str) -> None:
    """Raise ConfigError for a kind of screen that there is not, and for a folder."""
    if kind in SCREENS:
        return
    if Path(kind).suffix.lower() != ".png":
        kinds = ", ".join(SCREENS)
        raise ConfigError(f"no screen is called {kind!r}: display.screen is {kinds} or FILE.png")
    if is_folder(kind):
        raise ConfigError(f"display.screen {kind}: it is a folder; give a file in it")


def run(config: Config, loop: Loop) -> None:
    """Show until stopped, or until somebody presses q."""
    settings = config.display
    check_screen(settings.screen)
    publisher = Publisher(config.endpoint("in"), config.device_name)
    subscriber = Subscriber(config.endpoint("out"), TOPICS)
    health = Health(publisher, "display", loop)
    display = Display(
        lambda: open_screen(settings.screen, settings.framebuffer, fullscreen=settings.fullscreen),
        lambda: FrameSubscriber(config.endpoint("frames")),
        subscriber,
        publisher,
        health,
        loop,
        config.audio.duration_s,
    )
    try:
        display.open()
        health.ready()
        loop.run()
    finally:
        display.close()
        subscriber.close()
        publisher.close()
