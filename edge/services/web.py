"""The web process, off unless `web.bind` is set: pages for browsers, metrics for Prometheus.

It reads the bus, and frames while somebody looks. What is answered, and to whom, is in edge.web.
"""

import logging
import os
import time
from contextlib import closing
from functools import partial

from edge.bus.frames import FrameSubscriber
from edge.bus.messages import FaceMessage, Press, RecordingMessage
from edge.bus.pubsub import Publisher, Subscriber
from edge.bus.sockets import AddressUnavailableError
from edge.config import Config
from edge.errors import ConfigError
from edge.runtime.asyncio_loop import run_with_asyncio
from edge.runtime.loop import Loop, Timer
from edge.services.health import Health
from edge.web.board import Board
from edge.web.history import HistorySource, Memory
from edge.web.live import Viewers
from edge.web.metrics import Metrics
from edge.web.pages import models
from edge.web.picture import Picture, PictureSource
from edge.web.server import LimitedServer, addresses_of, check_login, listen
from edge.web.site import Site

log = logging.getLogger(__name__)

RARE = ("recording", "audio", "change")
FREQUENT = ("face", "emotion", "health.")
"""Read TICK_S after they came: to wake up for each would be most of this process's work. While a
picture waits for its faces, they are read at once."""
TICK_S = 0.25
LIVE_S = 0.2
"""Viewers are sent what changed so often, with or without a picture; without them nothing runs."""
CHECK_S = 1.0
RETRY_S = 2.0
MIN_PRESS_S = 1.0
ADDRESS = "address"
NICE = 5
"""Pages wait for the bus, and never the bus for pages, where both want the processor."""


class WebService:
    """Between the bus and browsers."""

    def __init__(
        self,
        config: Config,
        loop: Loop,
        publisher: Publisher,
        often: Subscriber,
        frames: FrameSubscriber,
        health: Health,
    ) -> None:
        self._loop = loop
        self._publisher = publisher
        self._often = often
        self._health = health
        self._board = Board(config.display.language, config.optional_services)
        self._metrics = Metrics(self._board, models(config))
        self._memory = Memory()
        self._viewers = Viewers(self._on_viewers)
        self._pictures = PictureSource(frames, loop, self._on_picture, self._has_faces)
        self._picture_s = 1 / config.web.picture_hz if config.web.picture_hz else None
        self._pressed_s = -MIN_PRESS_S
        self._sent_s = 0.0
        self._is_reading = False
        self._live: list[Timer] = []
        self._server: LimitedServer | None = None
        self.site = Site(
            config,
            self._board,
            self._viewers,
            HistorySource(config, loop, self._memory),
            lambda: self._metrics.text(time.monotonic_ns()),
            self.press,
        )
        health.about = addresses_of(config)

    def start(self) -> None:
        """Begin with what is done at intervals."""
        self._loop.call_every(TICK_S, partial(self.on_message, self._often))
        self._loop.call_every(CHECK_S, self.site.close_ended)

    def listen(self) -> None:
        """Serve; where the address is not free, try again later. Raises ConfigError."""
        try:
            self._server = listen(self.site)
        except AddressUnavailableError as error:
            self._health.set_problem(ADDRESS, str(error))
            self._loop.call_later(RETRY_S, self.listen)
        else:
            self._health.clear_problem(ADDRESS)
            log.info("serving %s", addresses_of(self.site.config))
        self._health.ready()

    def on_message(self, subscriber: Subscriber) -> None:
        """Take what came."""
        for topic, message in subscriber.receive_all():
            self._board.take(topic, message)
            self._metrics.take(topic, message)
            self._memory.take(message)
            if isinstance(message, FaceMessage):
                self._pictures.on_face(message)
        self._health.dropped += subscriber.bad
        subscriber.bad = 0
        self._health.feed_watchdog()

    def _has_faces(self) -> bool:
        return self._board.face(time.monotonic_ns()) is not None

    def _on_viewers(self) -> None:
        """Somebody came or left."""
        self._board.viewers = self._health.viewers = len(self._viewers)
        if not self._viewers:
            self._stop_live()
        elif not self._live:
            self._start_live()

    def _start_live(self) -> None:
        self._live = [self._loop.call_every(LIVE_S, self._send_values)]
        if self._picture_s is not None:
            self._live.append(self._loop.call_every(self._picture_s, self._request_picture))
            self._request_picture()

    def _stop_live(self) -> None:
        for timer in self._live:
            timer.cancel()
        self._live = []
        self._pictures.cancel()
        self._read_at_once(False)

    def _request_picture(self) -> None:
        self._read_at_once(True)
        self._pictures.request()

    def _read_at_once(self, at_once: bool) -> None:
        """Read faces as they come, or at TICK_S."""
        if at_once and not self._is_reading:
            self._loop.add_reader(self._often.socket, partial(self.on_message, self._often))
        elif self._is_reading and not at_once:
            self._loop.remove_reader(self._often.socket)
        self._is_reading = at_once

    def _on_picture(self, picture: Picture) -> None:
        self._read_at_once(False)
        self._metrics.pictures = self._pictures.encoded
        self._health.count()
        self._send(picture)

    def _send_values(self) -> None:
        """For when no picture comes."""
        self.on_message(self._often)
        if time.monotonic() - self._sent_s > 0.9 * LIVE_S:
            self._send(None)

    def _send(self, picture: Picture | None) -> None:
        now_ns = time.monotonic_ns()
        self._sent_s = now_ns / 1e9
        face = picture.face if picture else self._board.face(now_ns)
        values: dict[str, object] = {**self._board.values(now_ns), "face": face}
        if picture is not None:
            about = {"size": picture.size, "time": picture.time, "age_ms": picture.age_ms}
            values["picture"] = about
        self._viewers.send(values, picture)

    def press(self) -> bool:
        """Record, unless a recording goes on or one has just begun."""
        now_ns = time.monotonic_ns()
        recording = self._board.current("recording", now_ns)
        is_idle = isinstance(recording, RecordingMessage) and recording.phase == "idle"
        if not is_idle or now_ns / 1e9 - self._pressed_s < MIN_PRESS_S:
            return False
        self._pressed_s = now_ns / 1e9
        press = Press(t_ns=now_ns, time=time.time(), trigger="command")
        self._publisher.publish("press", press)
        return True

    def close(self) -> None:
        """Say goodbye to browsers."""
        self._viewers.close()
        self._stop_live()
        if self._server is not None:
            self._server.close()


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ConfigError."""
    if not config.web.bind:
        raise ConfigError("web.bind is not set; write 127.0.0.1:8080, say")
    os.nice(NICE)
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(config.endpoint("out"), RARE)) as rare,
        closing(Subscriber(config.endpoint("out"), FREQUENT)) as often,
        closing(FrameSubscriber(config.endpoint("frames"))) as frames,
    ):
        health = Health(publisher, "web", loop)

        async def start() -> None:
            service = WebService(config, loop, publisher, often, frames, health)
            check_login(config, service.site.secrets.read())
            loop.add_reader(rare.socket, partial(service.on_message, rare))
            loop.on_stop(service.close)
            service.start()
            service.listen()

        run_with_asyncio(loop, start)
