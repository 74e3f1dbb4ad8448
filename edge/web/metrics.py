"""What Prometheus reads: counters and gauges over what came by the bus.

Text exposition format 0.0.4 and the naming practices of prometheus.io. No label but those of a
fixed set: every value of one is a series for ever.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from edge import __version__
from edge.bus.messages import (
    EMOTION_LABELS,
    NOBODY,
    OPTIONAL_SERVICES,
    SERVICES,
    UNCERTAIN,
    AudioMessage,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
)
from edge.web.board import Board, label_of, published_s

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "emotion_edge_"
BUCKETS_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
LONGEST_S = 2.0
"""A label counts at most so long without coming again."""
OTHER = "other"
"""A label or a trigger of a later version."""
EMOTIONS = (*EMOTION_LABELS, UNCERTAIN, NOBODY, OTHER)
TRIGGERS = ("button", "key", "command", OTHER)
STATES = ("ok", "degraded", "failed")
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""(suffix of the name, labels, value)"""


REPORTED = (
    ("service_rate_hertz", "gauge", "Frames or messages a second.", "rate_hz", 1),
    ("service_uptime_seconds", "gauge", "Since the process started.", "uptime_s", 1),
    ("service_resident_memory_bytes", "gauge", "Resident memory.", "rss_mb", 2**20),
    ("dropped_messages_total", "counter", "What came and was not taken.", "dropped", 1),
)
"""(name, type, help, field of its health, the field's unit in the metric's)"""


class Seconds:
    """How long each emotion lasted."""

    def __init__(self) -> None:
        self.total = dict.fromkeys(EMOTIONS, 0.0)
        self._since_s: float | None = None
        self._labels: tuple[str, ...] = ()

    def take(self, t_s: float, labels: Iterable[str]) -> None:
        """From now on these are seen; until now it was what was given before."""
        if self._since_s is not None:
            lasted_s = min(max(0.0, t_s - self._since_s), LONGEST_S)
            for label in self._labels:
                self.total[label] += lasted_s
        self._since_s = t_s
        self._labels = tuple(known(label, EMOTIONS) for label in labels)


class Histogram:
    """Durations, counted by BUCKETS_S."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s += seconds

    def samples(self) -> Iterator[Sample]:
        total = 0
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self._counts, strict=True):
            total += count
            yield "_bucket", {"le": bound}, total
        yield "_sum", {}, self._sum_s
        yield "_count", {}, total


class Metrics:
    """Counts what comes, and writes it all down when it is asked for."""

    def __init__(self, board: Board, models: Labels) -> None:
        """`models`: what build_info says beside the version."""
        self._board = board
        self._build = {"version": __version__, **models}
        self._emotion, self._face = Seconds(), Seconds()
        self._inference, self._age = Histogram(), Histogram()
        self._recordings = {(t, s): 0 for t in TRIGGERS for s in ("false", "true")}
        self._restarts: dict[str, int] = {}
        self._uptime_s: dict[str, float] = {}
        self._level_dbfs: float | None = None
        self.pictures = 0

    def take(self, topic: str, message: Message) -> None:
        if isinstance(message, Emotion):
            self._emotion.take(published_s(message), [label_of(message)])
        elif isinstance(message, FaceMessage):
            self._face.take(published_s(message), [face.emotion for face in message.faces])
            self._inference.add(message.inference_ms / 1e3)
            self._age.add(message.age_ms / 1e3)
        elif isinstance(message, AudioMessage):
            trigger = known(message.trigger, TRIGGERS)
            self._recordings[trigger, str(message.speech).lower()] += 1
            self._level_dbfs = message.level_dbfs
        elif isinstance(message, HealthMessage):
            self._take_health(topic.removeprefix("health."), message)

    def _take_health(self, service: str, health: HealthMessage) -> None:
        """A service that is up for less long than before was started again."""
        again = health.uptime_s < self._uptime_s.get(service, 0.0)
        self._restarts[service] = self._restarts.get(service, 0) + again
        self._uptime_s[service] = health.uptime_s

    def text(self, now_ns: int) -> bytes:
        """The page. `now_ns`: CLOCK_MONOTONIC."""
        parts = (self._services(now_ns), self._faces(now_ns), self._counted(), self._device())
        return "".join(chain(*parts)).encode()

    def _services(self, now_ns: int) -> Iterator[str]:
        board = self._board
        names = [n for n in board.services if n in (*SERVICES, *OPTIONAL_SERVICES)]
        up = {n: h for n in names if (h := board.health(n)) and not board.is_missing(n, now_ns)}
        reports = [("", {"service": name}, float(name in up)) for name in names]
        yield family("service_up", "gauge", "1 while the service reports.", reports)
        states = [
            ("", {"service": name, "state": state}, float(health.state == state))
            for name, health in up.items()
            for state in STATES
        ]
        yield family("service_state", "gauge", "1 for the state that it reports.", states)
        starts = [("", {"service": name}, count) for name, count in self._restarts.items()]
        yield family("service_restarts_total", "counter", "Starts after the first.", starts)
        for name, kind, about, field, unit in REPORTED:
            samples = [("", {"service": n}, getattr(h, field) * unit) for n, h in up.items()]
            yield family(name, kind, about, samples)

    def _faces(self, now_ns: int) -> Iterator[str]:
        face = self._board.face(now_ns)
        about = "Time that a frame's faces took."
        yield family("face_inference_seconds", "histogram", about, self._inference.samples())
        about = "From a frame's capture to its published faces."
        yield family("face_age_seconds", "histogram", about, self._age.samples())
        count = len(face.faces) if face else None
        yield family("faces", "gauge", "Faces in the newest frame.", one(count))

    def _counted(self) -> Iterator[str]:
        for name, seconds, about in (
            ("emotion_seconds_total", self._emotion, "Time that each fused emotion lasted."),
            ("face_seconds_total", self._face, "Time that faces showed each emotion, all faces."),
        ):
            samples = [("", {"emotion": e}, s) for e, s in seconds.total.items()]
            yield family(name, "counter", about, samples)
        recordings = [
            ("", {"trigger": trigger, "speech": speech}, count)
            for (trigger, speech), count in self._recordings.items()
        ]
        yield family("recordings_total", "counter", "Recordings of the voice.", recordings)
        about = "Level of the last recording."
        yield family("microphone_level_dbfs", "gauge", about, one(self._level_dbfs))

    def _device(self) -> Iterator[str]:
        face = self._board.health("face")
        celsius, throttled = (face.soc_c, face.throttled) if face else (None, None)
        about = "Temperature of the board's chip."
        yield family("soc_temperature_celsius", "gauge", about, one(celsius))
        yield family("throttled", "gauge", "1 while the board slows itself down.", one(throttled))
        about = "Browsers that show the live page."
        yield family("web_viewers", "gauge", about, one(self._board.viewers))
        yield family("web_pictures_total", "counter", "Pictures made for them.", one(self.pictures))
        yield family("build_info", "gauge", "1; what runs.", [("", self._build, 1)])


def known(value: str, values: tuple[str, ...]) -> str:
    return value if value in values else OTHER


def one(value: float | None) -> list[Sample]:
    """A sample without labels; none where there is no value."""
    return [] if value is None else [("", {}, value)]


def family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    """HELP, TYPE and a line for each sample; nothing where there is none."""
    lines = [
        f"{PREFIX}{name}{suffix}{label_set(labels)} {float(value)!r}\n"
        for suffix, labels, value in samples
    ]
    head = f"# HELP {PREFIX}{name} {about}\n# TYPE {PREFIX}{name} {kind}\n"
    return head + "".join(lines) if lines else ""


def label_set(labels: Labels) -> str:
    """{name="value",...}, escaped."""
    pairs = ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
