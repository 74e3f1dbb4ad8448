"""A hub and a recorder as processes, what is sent to them, and what the bus carries."""

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from edge.bus.messages import EMOTION_LABELS, FACE_LABELS, Emotion, FaceMessage, FaceResult
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import BusConfig, Config, GatewayConfig, RecorderConfig

RATE_HZ = 30.0


class Row(NamedTuple):
    """Of the report."""

    bar: str
    what: str
    measured: str
    allowed: str


class Pids(NamedTuple):
    hub: int
    recorder: int


class Sent(NamedTuple):
    t_s: float
    """CLOCK_MONOTONIC"""
    scores: dict[str, float]


class Feed(threading.Thread):
    """Faces at 30 Hz and a fused emotion at 8 Hz, whose label changes now and then."""

    def __init__(self, config: Config, faces: int) -> None:
        super().__init__(daemon=True)
        self._publisher = Publisher(config.endpoint("in"), "bench")
        self._faces = faces
        self._ended = threading.Event()
        self.sent: list[Sent] = []

    def run(self) -> None:
        number, next_s = 0, time.monotonic()
        luck = random.Random(7)
        while not self._ended.is_set():
            scores = {label: luck.random() for label in FACE_LABELS}
            total = sum(scores.values())
            scores = {label: round(score / total, 4) for label, score in scores.items()}
            self._publish(number, scores)
            number += 1
            next_s = max(next_s + 1 / RATE_HZ, time.monotonic() - 0.5)
            time.sleep(max(0.0, next_s - time.monotonic()))

    def _publish(self, number: int, scores: dict[str, float]) -> None:
        now = {"t_ns": time.monotonic_ns(), "time": time.time()}
        label = FACE_LABELS[number // 200 % 7]
        known = {"emotion": label, "confidence": scores[label], "scores": scores}
        boxes = [(10.0 * n, 100.0 + number % 50, 90.0, 90.0) for n in range(self._faces)]
        found = [FaceResult(id=n + 1, box=box, **known) for n, box in enumerate(boxes)]  # type: ignore
        message = FaceMessage(
            **now, frame_seq=number, frame_size=(640, 480), faces=found, inference_ms=9.0
        )
        self._publisher.publish("face", message)
        self.sent.append(Sent(message.t_ns / 1e9, scores))
        if number % 4 == 0:
            fused = dict.fromkeys(EMOTION_LABELS, 0.0) | scores
            emotion = Emotion(
                **now, emotion=label, confidence=scores[label], scores=fused, face_age_s=0.01
            )
            self._publisher.publish("emotion", emotion)

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._publisher.close()


class Witness(threading.Thread):
    """Another subscriber: what the bus carried."""

    def __init__(self, config: Config) -> None:
        super().__init__(daemon=True)
        self._subscriber = Subscriber(config.endpoint("out"), ["face"])
        self._ended = threading.Event()
        self.seen: list[Sent] = []

    def run(self) -> None:
        while not self._ended.is_set():
            self._subscriber.socket.poll(100)
            for _, message in self._subscriber.receive_all():
                assert isinstance(message, FaceMessage)
                self.seen.append(Sent(message.t_ns / 1e9, dict(message.faces[0].scores)))

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._subscriber.close()


@contextlib.contextmanager
def device(
    work: Path,
    folder: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    **recorder: Any,
) -> Iterator[tuple[Config, Pids]]:
    """A hub and a recorder, in this environment and with these settings of it."""
    run = work / "run"
    settings = RecorderConfig(keep_days=30, directory=str(folder), **recorder)
    config = Config(
        device="bench", bus=BusConfig(directory=str(run)), gateway=GatewayConfig(local=""),
        recorder=settings,
    )  # fmt: skip
    file = work / "config.json"
    file.write_bytes(msgspec.json.encode(config))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "edge", name, "--config", str(file)],
            env={**os.environ, **(environment if name == "recorder" else {})},
        )
        for name in ("hub", "recorder")
    ]
    try:
        with contextlib.closing(Subscriber(config.endpoint("out"), ["health.recorder"])) as health:
            while not health.receive():
                health.socket.poll(200)
        yield config, Pids(*(process.pid for process in processes))
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(20)
