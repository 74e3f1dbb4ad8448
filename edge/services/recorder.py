"""The recorder process, off unless `recorder.keep_days` is set: results, kept on the device.

Never a frame and never sound: rows of labels, scores and boxes (edge.policy.seconds), in files of
SQLite (edge.recordings). It answers the page, `session`, `export` and `summary` over local sockets.
"""

import contextlib
import json
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from edge import __version__
from edge.bus import excerpts, history, recordings
from edge.bus.history import History
from edge.bus.messages import BadMessageError, Mark, Press
from edge.bus.pubsub import Publisher, Subscriber
from edge.bus.recordings import (
    AddMark,
    Answer,
    DeleteSession,
    ListSessions,
    Position,
    ReadRows,
    StartSession,
    StopSession,
)
from edge.bus.requests import Responder, Route
from edge.config import Config
from edge.errors import ConfigError
from edge.policy.seconds import CLOSE_S, Seconds
from edge.recordings.days import locked
from edge.recordings.reader import Reader
from edge.recordings.store import About, Store
from edge.runtime.loop import Loop
from edge.services.health import Health

log = logging.getLogger(__name__)

TOPICS = ("face", "emotion", "audio", "change", "health.", "press")
TICK_S = 1.0
"""Messages wait for so long: to wake up for each would be most of this process's work."""
CLOCK_SET_S = 0.1
"""A clock that is off by so much was set, or the computer slept."""
RETENTION_S = 600.0
"""Between two looks at what is too old, and after the clock was set: it may be wrong at first."""
MAX_JOBS = 8
"""Spans for pages that wait to be read."""
DOUBLE_PRESS_S = 0.6
DOUBLE_PRESS = "double press"
STORE = "recordings"
NO_SESSION = "no session is running; begin one: emotion-edge session start"

Clock = Callable[[], tuple[float, float]]
"""(CLOCK_MONOTONIC, Unix time), s, of one moment."""


def clock() -> tuple[float, float]:
    """The closest of some readings: a busy machine may stand still between two clocks."""
    readings = []
    for _ in range(3):
        before_s, unix_s = time.monotonic(), time.time()
        readings.append((time.monotonic() - before_s, before_s, unix_s))
    _, monotonic_s, unix_s = min(readings)
    return monotonic_s, unix_s


class RecorderService:
    """Takes messages, keeps rows, answers requests."""

    def __init__(
        self,
        config: Config,
        loop: Loop,
        store: Store,
        publisher: Publisher,
        health: Health,
        clock: Clock,
    ) -> None:
        self._settings = config.recorder
        self._loop = loop
        self._store = store
        self._publisher = publisher
        self._health = health
        self._clock = clock
        self._reader = Reader(store.directory)
        self._jobs: deque[tuple[Responder, Route, Iterator[History | None]]] = deque()
        self._face_seq = -1
        self._pressed_s = -DOUBLE_PRESS_S
        monotonic_s, unix_s = clock()
        self._clock_set_s = monotonic_s
        self._seconds = self._begin("start", monotonic_s, unix_s)
        days, where = self._settings.keep_days, store.directory
        health.about = f"keeps 1 day in {where}" if days == 1 else f"keeps {days} days in {where}"

    def _begin(self, why: str, monotonic_s: float, unix_s: float) -> Seconds:
        """A new stretch, from now on."""
        self._store.begin(unix_s, monotonic_s, why)
        every_frame = self._settings.detail == "frame"
        return Seconds(monotonic_s, unix_s - monotonic_s, every_frame)

    def _begin_again(self, why: str, monotonic_s: float, unix_s: float) -> None:
        """After what was taken so far; the second that this breaks has two rows."""
        self._store.add(self._seconds.close(monotonic_s))
        self._count_lost()
        self._seconds = self._begin(why, monotonic_s, unix_s)

    def _receive(self, subscriber: Subscriber) -> None:
        """Take what came."""
        for topic, message in subscriber.receive_all():
            self._health.count()
            if isinstance(message, Press):
                self._on_press(message)
                continue
            if topic == "face":
                if message.seq < self._face_seq:  # its ids begin again, and mean others
                    self._begin_again("faces", *self._clock())
                self._face_seq = message.seq
            self._seconds.take(topic, message)
        self._health.dropped += subscriber.bad
        subscriber.bad = 0

    def _on_press(self, press: Press) -> None:
        """Two in a moment are a mark."""
        now_s = press.t_ns / 1e9
        if now_s - self._pressed_s < DOUBLE_PRESS_S:
            self._mark(press.t_ns, DOUBLE_PRESS)
        self._pressed_s = now_s

    def _mark(self, t_ns: int, text: str) -> None:
        """Keep it, and tell others: a marker stream, the page."""
        self._seconds.add_mark(t_ns, text)
        self._publisher.publish("mark", Mark(t_ns=t_ns, time=time.time(), text=text))

    def on_tick(self, subscriber: Subscriber) -> None:
        """Take what came, and keep what is complete."""
        self._receive(subscriber)
        monotonic_s, unix_s = self._clock()
        if abs(unix_s - monotonic_s - self._seconds.offset_s) > CLOCK_SET_S:
            self._clock_set_s = monotonic_s
            self._begin_again("clock", monotonic_s, unix_s)
        self._keep_complete(monotonic_s)
        if self._store.is_due(max(1.0, self._settings.flush_s - CLOSE_S - 2 * TICK_S)):
            self._store.flush()
        self.check()
        self._count_lost()
        self._health.feed_watchdog()

    def _count_lost(self) -> None:
        """What came too late, and what found no room."""
        self._health.dropped += self._seconds.dropped + self._store.lost
        self._seconds.dropped = self._store.lost = 0

    def _keep_complete(self, monotonic_s: float) -> None:
        """Each second in the file of its day."""
        self._store.add(self._seconds.closed(monotonic_s, self._store.day_end))
        if (midnight := self._seconds.next_t) == self._store.day_end:
            self._store.begin(midnight, midnight - self._seconds.offset_s, "midnight")

    def check(self) -> None:
        """The disk and the file; what is wrong goes to health."""
        if why := self._store.check():
            self._begin_again(why, *self._clock())
        if problems := "; ".join(self._store.problems.values()):
            self._health.set_problem(STORE, problems)
        else:
            self._health.clear_problem(STORE)
        self._health.recording_data = self._store.is_writing

    def remove_old(self) -> None:
        """Retention, while the clock can be trusted."""
        monotonic_s, unix_s = self._clock()
        if monotonic_s - self._clock_set_s >= RETENTION_S - TICK_S:
            settings = self._settings
            self._store.remove_old(settings.keep_days, settings.max_mb, unix_s)

    def on_request(self, responder: Responder) -> None:
        for route, body in responder.receive():
            try:
                answer = self._answer(recordings.decode_request(body))
            except BadMessageError as error:
                answer = Answer(error=str(error))
            except sqlite3.Error as error:
                answer = Answer(error=f"{self._store.directory}: {error}")
            responder.reply(route, recordings.encode(answer))

    def _answer(self, request: recordings.AnyRequest) -> Answer:
        if isinstance(request, ReadRows):
            if request.cursor is None:
                self._flush()
            return self._reader.chunk(request.span, request.cursor)
        if isinstance(request, ListSessions):
            return Answer(sessions=self._reader.sessions())
        if isinstance(request, StartSession):
            return self._start(request)
        if isinstance(request, StopSession):
            return self._stop()
        if isinstance(request, AddMark):
            self._mark(time.monotonic_ns(), request.text)
            return Answer()
        return self._delete(request)

    def _now(self) -> Position:
        monotonic_s, _ = self._clock()
        return self._store.stretch, round(monotonic_s + self._seconds.offset_s, 3)

    def _flush(self) -> bool:
        """All that is complete, before somebody reads."""
        self._keep_complete(self._clock()[0])
        return self._store.flush()

    def _start(self, request: StartSession) -> Answer:
        if running := self._store.session:
            return Answer(error=f"session {running.id} is running; stop it first")
        session = self._store.start_session(request.note, request.consent, self._now())
        return Answer(sessions=[session]) if session else Answer(error=self._why_not())

    def _stop(self) -> Answer:
        if not self._store.session:
            return Answer(error=NO_SESSION)
        session = self._store.stop_session(self._now())
        return Answer(sessions=[session]) if session else Answer(error=self._why_not())

    def _delete(self, request: DeleteSession) -> Answer:
        found = [session for session in self._reader.sessions() if session.id == request.id]
        if not found:
            return Answer(error=f"no session is called {request.id!r}; see session list")
        if found[0].stop is None:
            return Answer(error=f"session {request.id} is running; stop it first")
        self._store.add(self._seconds.close(self._clock()[0]))
        error = self._store.delete_session(found[0])
        self._begin_again("erased", *self._clock())
        return Answer(error=error, sessions=found)

    def _why_not(self) -> str:
        return "; ".join(self._store.problems.values()) or "it cannot be written now"

    def on_history(self, responder: Responder) -> None:
        """A day at a time, so that nothing else waits for long."""
        for route, body in responder.receive():
            try:
                job = self._reader.history(history.decode_request(body))
            except BadMessageError as error:
                responder.reply(route, history.encode(History(error=str(error))))
            else:
                self._begin_job(responder, route, job)

    def _begin_job(self, responder: Responder, route: Route, job: Iterator[History | None]) -> None:
        """One is read at a time, so that seconds are kept meanwhile."""
        if len(self._jobs) >= MAX_JOBS:
            responder.reply(route, history.encode(History(error="busy; try again")))
            return
        self._jobs.append((responder, route, job))
        if len(self._jobs) == 1:
            self._continue()

    def _continue(self) -> None:
        responder, route, job = self._jobs[0]
        try:
            found = next(job)
        except sqlite3.Error as error:
            found = History(error=f"{self._store.directory}: {error}")
        if found is not None:
            responder.reply(route, history.encode(found))
            self._jobs.popleft()
        if self._jobs:
            self._loop.call_later(0, self._continue)

    def close(self) -> None:
        """Keep what came until now."""
        self._store.add(self._seconds.close(self._clock()[0]))
        self._store.close()


class ModelCard(msgspec.Struct, frozen=True):
    """Of edge.inference.card what names a model. Whoever runs one has compared it with the file."""

    sha256: str


def models_of(config: Config) -> str:
    """What made the results, as JSON: {face or voice: the file's name and SHA-256}."""
    found = {}
    for kind, model in (("face", config.face.model), ("voice", config.audio.model)):
        path = Path(model)
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            card = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=ModelCard)
            found[kind] = f"{path.name} sha256:{card.sha256}"
    return json.dumps(found)


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ConfigError."""
    serve(config, loop, clock)


def serve(config: Config, loop: Loop, clock: Clock) -> None:
    """Put the service together and let it work until the loop stops."""
    if not config.recorder.keep_days:
        raise ConfigError("recorder.keep_days is not set; write keep_days = 30 under [recorder]")
    about = About(config.device_name, __version__, models_of(config))
    endpoint = config.endpoint
    with (
        locked(config.recordings_directory),
        closing(Publisher(endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(endpoint("out"), TOPICS, decode=excerpts.decode)) as subscriber,
        closing(Responder(endpoint(recordings.ENDPOINT))) as requests,
        closing(Responder(endpoint(history.ENDPOINT))) as histories,
    ):
        health = Health(publisher, "recorder", loop)
        store = Store(config.recordings_directory, about)
        service = RecorderService(config, loop, store, publisher, health, clock)
        loop.add_reader(requests.socket, partial(service.on_request, requests))
        loop.add_reader(histories.socket, partial(service.on_history, histories))
        loop.call_every(TICK_S, partial(service.on_tick, subscriber))
        loop.call_every(RETENTION_S, service.remove_old)
        service.check()
        health.ready()
        log.info(
            "recording results in %s for %d days; no picture and no sound",
            store.directory,
            config.recorder.keep_days,
        )
        with closing(service):
            loop.run()
