"""What is measured, one function a row of the table (docs/reports/benchmarks.md)."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.measure import cpu_s, percentile, pss_mb
from benchmarks.product import Product, a_desktop, running, services, settings
from edge.bus.frames import FrameSubscriber
from edge.bus.keys import Keys
from edge.bus.messages import (
    FACE_LABELS,
    AudioMessage,
    FaceMessage,
    FaceResult,
    HealthMessage,
    Press,
    RecordingMessage,
)
from edge.bus.pubsub import Publisher, age_ms, send_once
from edge.client import Subscription
from edge.config import AudioConfig, CameraConfig, DetectorConfig, FaceConfig, GatewayConfig

ROOT = Path(__file__).resolve().parent.parent
SETTLE_S = 5.0
CPU_S = 60.0
MEMORY_AFTER_S = 60.0
SLOW_S = 60.0
SLOW_FRAME_S = 0.2
PRESSES = 20
CURVE_ROUNDS, CURVE_RESULTS = 3, 400
CURVE_PAUSE_S = 0.005
CURVE_PORT = 5598
STARTS = 5


class Figure(NamedTuple):
    """One row: what was measured, and the bar that it must not exceed."""

    what: str
    value: float
    bar: float | None
    unit: str
    note: str = ""


def demo() -> CameraConfig:
    return CameraConfig(source="demo")


def face_cpu(kind: str) -> list[Figure]:
    """CPU of the face process a processed frame with one face, and the age when it is published."""
    detector = DetectorConfig(kind=kind)  # type: ignore[arg-type]
    config = settings(camera=demo(), face=FaceConfig(detector=detector))
    with running(config, "--screen", "none") as product:
        product.until(lambda topic, _: topic == "face")
        list(product.during(SETTLE_S))
        used_ms, ages_ms = _frames_with_a_face(product)
    bar_ms = 10.0 if kind == "yunet" else 20.0
    name = "YuNet" if kind == "yunet" else "Haar"
    return [
        Figure(f"face, {name}: CPU a frame", used_ms, bar_ms, "ms"),
        Figure(
            f"face, {name}: age when published, p95",
            percentile(ages_ms, 0.95),
            25.0 if kind == "yunet" else None,
            "ms",
            f"{len(ages_ms)} frames",
        ),
    ]


def _frames_with_a_face(product: Product) -> tuple[float, list[float]]:
    """(CPU ms a frame, ages in ms) over the seconds in which every frame had one face."""
    pid = product.pid("face")
    used_s, frames, ages_ms = 0.0, 0, []
    end_s = time.monotonic() + CPU_S
    while time.monotonic() < end_s:
        before_s = cpu_s(pid)
        faces = [m for _, m in product.during(1.0) if isinstance(m, FaceMessage)]
        after_s = cpu_s(pid)
        if faces and all(len(face.faces) == 1 for face in faces):
            used_s += after_s - before_s
            frames += len(faces)
            ages_ms += [face.age_ms for face in faces]
    return used_s / max(frames, 1) * 1e3, ages_ms


def desktop_ratio(yunet_ms: float) -> list[Figure]:
    """YuNet against the desktop script: Haar at full size and Keras' predict on every frame."""
    python = os.environ.get("EMOTION_EDGE_TRAINING_PYTHON", sys.executable)
    done = subprocess.run(
        [python, str(ROOT / "benchmarks" / "desktop.py")], capture_output=True, text=True
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["?"]
        print(f"desktop script's way: not measured ({reason[0]})", file=sys.stderr)
        return []
    cost = json.loads(done.stdout)
    total_ms = cost["haar_ms"] + cost["predict_ms"]
    note = f"Haar {cost['haar_ms']:.1f} ms + Keras predict {cost['predict_ms']:.1f} ms"
    return [
        Figure("the desktop script's way: CPU a frame", total_ms, None, "ms", note),
        Figure("face, YuNet, against it", yunet_ms / total_ms, 0.1, "x"),
    ]


def screen_age() -> list[Figure]:
    """Age of a frame when it is in the window, and the memory of all seven after a minute."""
    with a_desktop() as there:
        screen = "window" if there else "none"
        with running(settings(camera=demo()), "--screen", screen) as product:
            list(product.during(MEMORY_AFTER_S))
            memory_mb = {name: pss_mb(pid) for name, pid in product.pids().items()}
            health = product.until(lambda topic, _: topic == "health.display")
    each = ", ".join(f"{name} {mb:.0f}" for name, mb in memory_mb.items())
    figures = [
        Figure("seven processes, PSS after a minute", sum(memory_mb.values()), 235, "MB", each)
    ]
    assert isinstance(health, HealthMessage)
    age = re.search(r"frame age (\d+) ms p95", health.detail)
    if age:
        figures.insert(
            0, Figure("age on the screen, p95", float(age[1]), 60.0, "ms", health.detail)
        )
    return figures


def slow_consumer() -> list[Figure]:
    """The oldest frame that a consumer of 200 ms a frame ever takes."""
    ages_ms = []
    with running(settings(camera=demo()), "--screen", "none") as product:
        product.until(lambda topic, _: topic == "face")
        frames = FrameSubscriber(product.config.endpoint("frames"))
        end_s = time.monotonic() + SLOW_S
        while time.monotonic() < end_s:
            frames.socket.poll(1000)
            frame = frames.receive()
            if frame is not None:
                ages_ms.append(frame.age_ms())
                time.sleep(SLOW_FRAME_S)
        frames.close()
    note = f"{len(ages_ms)} frames in {SLOW_S:g} s"
    return [Figure("a consumer of 200 ms a frame: oldest frame", max(ages_ms), 300.0, "ms", note)]


def voice_delay() -> list[Figure]:
    """From the end of a recording to `audio`."""
    config = settings(camera=demo())
    sound = config.directory / "speech.wav"
    if shutil.which("espeak-ng") is None:
        print("end of recording to `audio`: not measured (no espeak-ng)", file=sys.stderr)
        return []
    words = "kids are talking by the door, dogs are sitting by the door"
    subprocess.run(["espeak-ng", "-w", str(sound), words], check=True)
    config = msgspec.structs.replace(config, audio=AudioConfig(source=str(sound)))
    delays_ms = []
    with running(config, "--screen", "none") as product:
        product.until(lambda topic, _: topic == "health.audio")
        for _ in range(PRESSES):
            product.until(lambda _, m: isinstance(m, RecordingMessage) and m.phase == "idle")
            press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
            send_once(product.config.endpoint("in"), "bench", "press", press)
            result = product.until(lambda _, m: isinstance(m, AudioMessage) and m.speech)
            delays_ms.append(result.age_ms)
    note = f"{PRESSES} presses"
    return [
        Figure("end of recording to `audio`, p95", percentile(delays_ms, 0.95), 150.0, "ms", note)
    ]


def start() -> list[Figure]:
    """From starting `run` to the first `face`."""
    times_s = []
    for _ in range(STARTS):
        with running(settings(camera=demo()), "--screen", "none") as product:
            product.until(lambda topic, _: topic == "face")
            times_s.append(time.monotonic() - product.started_s)
    each = ", ".join(f"{seconds:.1f}" for seconds in times_s)
    return [Figure("`run` to the first `face`, median", percentile(times_s, 0.5), 3.0, "s", each)]


def restart() -> list[Figure]:
    """From kill -9 of a process to its first message; the slowest of the seven."""
    back_s: dict[str, float] = defaultdict(float)
    with running(settings(camera=demo()), "--screen", "none") as product:
        product.until(lambda topic, _: topic == "emotion")
        list(product.during(SETTLE_S))
        for name, pid in product.pids().items():
            killed_s = time.monotonic()
            os.kill(pid, 9)
            product.until(lambda topic, m, name=name: _is_back(product, topic, m, name))  # type: ignore[misc]
            back_s[name] = time.monotonic() - killed_s
            list(product.during(1.0))
    each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in back_s.items())
    return [
        Figure(
            "kill -9 to its next message, slowest of seven", max(back_s.values()), 3.0, "s", each
        )
    ]


def _is_back(product: Product, topic: str, message: object, name: str) -> bool:
    fresh = (
        isinstance(message, HealthMessage) and message.uptime_s < 2 and topic == f"health.{name}"
    )
    return fresh and product.process.poll() is None


def curve() -> list[Figure]:
    """What CURVE adds to the way of a result from its process to a subscriber, on loopback."""
    delays_ms: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(CURVE_ROUNDS):
        for encrypted in delays_ms:
            delays_ms[encrypted] += _gateway_delays_ms(encrypted)
    plain_ms, encrypted_ms = (percentile(delays_ms[encrypted], 0.95) for encrypted in (False, True))
    note = (
        f"{plain_ms:.2f} ms plain, {encrypted_ms:.2f} ms with CURVE, {len(delays_ms[True])} results"
    )
    return [
        Figure(
            "remote endpoint: delay that CURVE adds, p95", encrypted_ms - plain_ms, 1.0, "ms", note
        )
    ]


def _gateway_delays_ms(encrypted: bool) -> list[float]:
    """From publishing to a subscriber at a gateway of its own, ms."""
    config = settings()
    keys = Keys(config.directory / "keys")
    file = config.directory / "bench.key"
    keys.export(keys.add("bench", "bench"), file)
    endpoints = GatewayConfig(
        local="" if encrypted else f"tcp://127.0.0.1:{CURVE_PORT}",
        remote=f"tcp://0.0.0.0:{CURVE_PORT}" if encrypted else "",
        keys=str(keys.directory),
        announce=False,
    )
    config = msgspec.structs.replace(config, gateway=endpoints)
    delays_ms: list[float] = []
    with (
        services(config, "hub", "gateway"),
        Subscription(
            f"tcp://127.0.0.1:{CURVE_PORT}", ["face"], file if encrypted else None
        ) as device,
    ):
        publisher = Publisher(config.endpoint("in"), "bench")
        while len(delays_ms) < CURVE_RESULTS:
            publisher.publish("face", _a_result())
            delays_ms += [age_ms(received.message.t_ns) for received in device.wait(0.1)]
            time.sleep(CURVE_PAUSE_S)
        publisher.close()
    return delays_ms


def _a_result() -> FaceMessage:
    """One face, as the face process publishes it."""
    scores = dict.fromkeys(FACE_LABELS, 1 / len(FACE_LABELS))
    seen = FaceResult(
        id=1, box=(200.0, 120.0, 180.0, 180.0), emotion="happy", confidence=0.9, scores=scores
    )
    return FaceMessage(
        t_ns=time.monotonic_ns(),
        time=time.time(),
        frame_seq=0,
        frame_size=(640, 480),
        faces=[seen],
        inference_ms=5.0,
    )
