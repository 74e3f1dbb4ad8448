"""A hub in a process of its own, thirty results a second through it, and a listener inside."""

import contextlib
import threading
import time
from collections.abc import Iterator

import zmq

from benchmarks.measure import percentile, pss_mb
from edge.bus import pubsub
from edge.bus.messages import FaceMessage, FaceResult
from edge.bus.pubsub import Subscriber, unpack
from edge.config import Config
from edge.services import hub
from tests.support.harness import ReadyPublisher, emotion_edge, listening, running, write_config

RATE_HZ = 30.0
SCORES = dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 0.14)


def face(number: int) -> FaceMessage:
    """A result of the usual size."""
    seen = FaceResult(
        id=1, box=(200.0, 120.0, 180.0, 180.0), emotion="happy", confidence=0.9, scores=SCORES
    )
    return FaceMessage(
        t_ns=time.monotonic_ns(),
        time=time.time(),
        frame_seq=number,
        frame_size=(640, 480),
        faces=[seen],
        inference_ms=5.0,
    )


@contextlib.contextmanager
def gateway_process(config: Config) -> Iterator[int]:
    """A hub here, and `emotion-edge gateway`; its process id."""
    file = write_config(config, config.directory / "config.json")
    with running(hub.run, config), emotion_edge("gateway", "--config", file) as process:
        try:
            with listening(config.endpoint("out"), "health.gateway") as listener:
                listener.topic("health.gateway")
            yield process.pid
        finally:
            process.terminate()
            process.communicate()


class Load(threading.Thread):
    """Publishes `face` thirty times a second, from a thread and a context of its own."""

    def __init__(self, config: Config) -> None:
        super().__init__(daemon=True)
        self._config = config
        self._ended = threading.Event()
        self.sent = 0

    def run(self) -> None:
        publisher = ReadyPublisher(self._config)
        while not self._ended.wait(1 / RATE_HZ):
            publisher.publish("face", face(self.sent))
            self.sent += 1
        publisher.close()

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def local_delay_ms(config: Config, duration_s: float) -> float:
    """p95 from publishing to the arrival at a local process."""
    listener = Subscriber(config.endpoint("out"), ["face"])
    delays_ms = []
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        listener.socket.poll(100)
        delays_ms += [pubsub.age_ms(message.t_ns) for _, message in listener.receive()]
    listener.close()
    return percentile(delays_ms, 0.95)


class Gaps:
    """A subscriber's count of what it missed of the load."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.received = 0
        self.missed = 0

    def take(self, parts: list[bytes]) -> None:
        _, message = unpack(parts)
        assert isinstance(message, FaceMessage)
        if self.last is not None and message.seq <= self.last:
            return  # a last value, repeated for another subscriber
        if self.last is not None:
            self.missed += message.seq - self.last - 1
        self.last = message.seq
        self.received += 1


def drain(socket: "zmq.Socket[bytes]", gaps: Gaps) -> None:
    while socket.poll(0):
        gaps.take(socket.recv_multipart())


def settled_pss_mb(pid: int, at_most_mb: float, patience_s: float) -> float:
    """The process's memory once it is back at `at_most_mb`, or after `patience_s`."""
    end_s = time.monotonic() + patience_s
    while (now_mb := pss_mb(pid)) > at_most_mb and time.monotonic() < end_s:
        time.sleep(0.5)
    return now_mb
