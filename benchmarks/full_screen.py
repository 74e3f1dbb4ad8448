"""A full screen of 4K: frames a second, memory and how long it stays unfilled.

`python -m benchmarks.full_screen` prints the rows that `make bench` has in its table, and how long
an image takes to draw. The framebuffer is a file: its memory counts as the
display's own here, which a screen's does not.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.figures import Figure, demo
from benchmarks.measure import cpu_s, percentile, pss_mb
from benchmarks.product import Product, a_desktop, running, services, settings
from benchmarks.screens import busy_minute
from edge.bus.messages import HealthMessage
from edge.commands import service
from edge.config import DisplayConfig
from edge.config.file import load
from edge.devices.screen import framebuffer
from edge.devices.screen.framebuffer import Geometry
from edge.overlay import render
from edge.types import Image

SIZE_4K = 3840, 2160
SETTLE_S, MEASURED_S = 6.0, 20.0
MAX_MB, MIN_HZ = 120.0, 15.0
DRAWN = 60


def window() -> list[Figure]:
    """A window on the whole of a 4K desktop."""
    with a_desktop(*SIZE_4K, manager="openbox") as there:
        if not there:
            print("4K window: not measured (needs Xvfb and openbox)", file=sys.stderr)
            return []
        with running(settings(camera=demo()), "--screen", "window", "--fullscreen") as product:
            return _figures("window", product)


def on_framebuffer() -> list[Figure]:
    """A file in the place of a 4K framebuffer, 32 bits a pixel."""
    config = settings(camera=demo())
    device = config.directory / "fb0"
    device.write_bytes(bytes(4 * SIZE_4K[0] * SIZE_4K[1]))
    display = DisplayConfig(screen="framebuffer", framebuffer=str(device))
    config = msgspec.structs.replace(config, display=display)
    with services(config, "hub", "camera", "face", "fusion"):
        file = config.directory / "config.json"
        process = subprocess.Popen([sys.executable, "-m", __spec__.name, str(file)])
        product = Product(config, process)
        try:
            return _figures("framebuffer", product)
        finally:
            process.terminate()
            process.wait()
            product.subscriber.close()


def display_on_a_file(config: Path) -> None:
    """The display's process, told that the file is a framebuffer of 4K."""
    framebuffer.read_geometry = lambda _: Geometry(*SIZE_4K, 4 * SIZE_4K[0], 32)
    service.run("display", load(config), config)


def drawing() -> list[Figure]:
    """The CPU time that one image takes, with two people and a busy minute."""
    frame = np.full((480, 640, 3), 90, np.uint8)
    return [
        Figure(f"image of {w}x{h}: CPU to draw, median", _drawing_ms(frame, (w, h)), None, "ms")
        for w, h in ((640, 480), (1280, 720), (1920, 1080), SIZE_4K)
    ]


def _drawing_ms(frame: Image, size: tuple[int, int]) -> float:
    times_ms = []
    shot = busy_minute()
    for _ in range(DRAWN):
        started_s = time.thread_time()
        shot = msgspec.structs.replace(shot, now_ns=shot.now_ns + 33_000_000)
        render(frame, shot, size)
        times_ms.append((time.thread_time() - started_s) * 1e3)
    return percentile(times_ms, 0.5)


def _figures(what: str, product: Product) -> list[Figure]:
    product.until(lambda topic, _: topic == "health.display")
    list(product.during(SETTLE_S))
    memory_mb, rates_hz, detail, pid = [], [], "", product.pid("display")
    before_s = cpu_s(pid)
    for topic, message in product.during(MEASURED_S):
        if topic == "health.display" and isinstance(message, HealthMessage):
            memory_mb.append(pss_mb(pid))
            rates_hz.append(message.rate_hz)
            detail = message.detail
    frame_ms = (cpu_s(pid) - before_s) / sum(rates_hz) * 1e3
    rate = f"{sum(rates_hz) / len(rates_hz):.1f} frames a second, load {os.getloadavg()[0]:.0f}"
    return [
        Figure(f"4K {what}: PSS of the display, largest", max(memory_mb), MAX_MB, "MB", detail),
        Figure(f"4K {what}: CPU a frame", frame_ms, 1e3 / MIN_HZ, "ms", rate),
    ]


def main() -> None:
    if sys.argv[1:]:
        display_on_a_file(Path(sys.argv[1]))
        return
    for row in (*drawing(), *window(), *on_framebuffer()):
        bar = "" if row.bar is None else f" (bar {row.bar:.3g})"
        print(f"{row.what}: {row.value:.3g} {row.unit}{bar} {row.note}", flush=True)


if __name__ == "__main__":
    main()
