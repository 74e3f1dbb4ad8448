"""How exact the times of `emotion-edge lsl` are, against CLOCK_MONOTONIC, which is liblsl's clock.

The running product with its demo, seen twice: on its own bus, where each message tells when its
frame was captured by the clock that liblsl uses, too; and through `emotion-edge lsl`, which sees it
as another computer would: from the message's Unix time, its age, and the offset of two clocks.
"""

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import zmq

from benchmarks.measure import percentile
from edge.bus.messages import FaceMessage
from edge.bus.pubsub import Subscriber
from edge.config import BusConfig, CameraConfig, Config, DisplayConfig, GatewayConfig
from tests.support.harness import free_port

START_S, SECONDS = 20.0, 60.0
"""Until the product has settled; and how long each case is watched."""
AHEAD_S = {"the device's clock right": 0.0, "the device's clock an hour behind": -3600.0}


class Relay(threading.Thread):
    """A device whose clock is wrong: passes messages on with another Unix time."""

    def __init__(self, config: Config, port: int, ahead_s: float) -> None:
        super().__init__(daemon=True)
        context = zmq.Context.instance()
        self._inlet, self._outlet = context.socket(zmq.SUB), context.socket(zmq.XPUB)
        self._inlet.connect(config.endpoint("out"))
        self._inlet.subscribe("")
        self._outlet.bind(f"tcp://127.0.0.1:{port}")
        self._ahead_s = ahead_s

    def run(self) -> None:
        while True:
            topic, body = self._inlet.recv_multipart()
            message = msgspec.json.decode(body)
            message["time"] += self._ahead_s
            self._outlet.send_multipart([topic, msgspec.json.encode(message)])


def measure(work: Path) -> list[tuple[str, str, str]]:
    """(what, measured, allowed)"""
    run = work / "run"
    config = Config(
        device="bench", bus=BusConfig(directory=str(run)), gateway=GatewayConfig(local=""),
        camera=CameraConfig(source="demo"), display=DisplayConfig(screen="none"),
    )  # fmt: skip
    file = work / "config.json"
    file.write_bytes(msgspec.json.encode(config))
    command = [sys.executable, "-m", "edge", "run", "--microphone", "none", "--config", str(file)]
    product = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(START_S)
    try:
        return [row for case in AHEAD_S.items() for row in measure_case(config, *case)]
    finally:
        product.terminate()
        product.wait(20)


def measure_case(config: Config, name: str, ahead_s: float) -> list[tuple[str, str, str]]:
    import pylsl

    port = free_port()
    while not (config.directory / "out").exists():
        time.sleep(0.1)
    Relay(config, port, ahead_s).start()
    command = [sys.executable, "-m", "edge", "lsl", f"tcp://127.0.0.1:{port}"]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        source = "source_id='emotion-edge-bench-face'"
        (stream,) = pylsl.resolve_bypred(source, 1, 60)
        inlet = pylsl.StreamInlet(stream)
        truth, found = {}, {}
        with contextlib.closing(Subscriber(config.endpoint("out"), ["face"])) as bus:
            end_s = time.monotonic() + SECONDS
            while time.monotonic() < end_s:
                bus.socket.poll(50)
                for _, message in bus.receive_all():
                    assert isinstance(message, FaceMessage)
                    truth.update((key_of(f.id, f.box), message.t_ns / 1e9) for f in message.faces)
                samples, times = inlet.pull_chunk(0.0)
                found.update((key_of(s[0], s[-4:]), t) for s, t in zip(samples, times, strict=True))
    finally:
        client.terminate()
        client.wait(20)
    errors_ms = [1e3 * (found[key] - truth[key]) for key in found.keys() & truth.keys()]
    p95_ms = percentile([abs(error) for error in errors_ms], 0.95)
    middle_ms = percentile(errors_ms, 0.5)
    jitter_ms = percentile([abs(error - middle_ms) for error in errors_ms], 0.95)
    count = f"{len(errors_ms)} faces, {name}"
    return [
        (f"from the capture to the sample's time, p95 ({count})", f"{p95_ms:.1f} ms", "50 ms"),
        (f"jitter around the median, p95 ({name})", f"{jitter_ms:.1f} ms", "20 ms"),
    ]


def key_of(number: float, box: object) -> tuple[float, ...]:
    """A face of one frame; the demo's faces never stand twice at the same place."""
    return round(number), *(round(float(side), 2) for side in box)  # type: ignore[attr-defined]
