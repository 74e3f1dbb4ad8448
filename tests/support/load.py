"""A hub in a process of its own, thirty results a second through it, and a listener inside."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from benchmarks.measure import percentile, pss_mb
from edge.bus import pubsub
from edge.bus.messages import FaceMessage, FaceResult, RecordingMessage
from edge.bus.pubsub import Subscriber, unpack
from edge.config import Config
from edge.services import hub
from tests.support.harness import (
    ROOT,
    ReadyPublisher,
    emotion_edge,
    listening,
    running,
    write_config,
)

RATE_HZ, PROBE_HZ = 30.0, 50.0
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


@contextlib.contextmanager
def hub_and_gateway(config: Config) -> Iterator[tuple[int, int]]:
    """`emotion-edge hub`, which must outlive the block, and `emotion-edge gateway`: their ids."""
    file = write_config(config, config.directory / "config.json")
    log = (config.directory / "log").open("a")
    with (
        log,
        emotion_edge("hub", "--config", file, stderr=log) as hub,
        emotion_edge("gateway", "--config", file, stderr=log) as gateway,
    ):
        try:
            with listening(config.endpoint("out"), "health.gateway") as listener:
                listener.topic("health.gateway")
            yield hub.pid, gateway.pid
            assert hub.poll() is None, "the hub ended"
        finally:
            gateway.terminate()
            hub.terminate()


IDLE = """
import sys, threading, time
ended, longest_s = threading.Event(), 0.0
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    before_s = time.monotonic()
    time.sleep(0.02)
    longest_s = max(longest_s, time.monotonic() - before_s)
print(longest_s * 1e3)
"""


class Probe(threading.Thread):
    """Publishes `recording` fifty times a second at the hub, and takes it from there again.

    Beside it an idle process sleeps as often: how long that stands still is not the bus's fault.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(daemon=True)
        self._config = config
        self._ended = threading.Event()
        self.longest_gap_ms = self.idle_gap_ms = 0.0
        self._idle = subprocess.Popen(
            [sys.executable, "-c", IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self) -> None:
        publisher = ReadyPublisher(self._config)
        listener = Subscriber(self._config.endpoint("out"), ["recording"])
        while not listener.socket.poll(1000 / PROBE_HZ):
            publisher.publish("recording", recording())
        received_s = time.monotonic()
        while not self._ended.is_set():
            publisher.publish("recording", recording())
            due_s = time.monotonic() + 1 / PROBE_HZ
            while (left_s := due_s - time.monotonic()) > 0:
                listener.socket.poll(left_s * 1e3)
                for _ in listener.receive_all():
                    now_s = time.monotonic()
                    self.longest_gap_ms = max(self.longest_gap_ms, (now_s - received_s) * 1e3)
                    received_s = now_s
        self.longest_gap_ms = max(self.longest_gap_ms, (time.monotonic() - received_s) * 1e3)
        listener.close()
        publisher.close()

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self.idle_gap_ms = float(self._idle.communicate()[0])


def recording() -> RecordingMessage:
    return RecordingMessage(t_ns=time.monotonic_ns(), time=time.time(), phase="idle")


class PeakMemory:
    """How much more a process used during the block than before. VmHWM of proc_pid_status(5)"""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.more_mb = 0.0

    def _peak_mb(self) -> float:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))

    def __enter__(self) -> "PeakMemory":
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # VmHWM begins again
        self.more_mb = -self._peak_mb()
        return self

    def __exit__(self, *_: object) -> None:
        self.more_mb += self._peak_mb()


@contextlib.contextmanager
def attack(name: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A function of tests/support/attacks.py in a process of its own, which has begun."""
    command = [sys.executable, "-m", "tests.support.attacks", name, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "begins\n"
            yield process
        finally:
            process.kill()
