"""The whole product for twenty minutes, a recording every five seconds: nothing grows."""

import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.measure import pss_mb
from edge.bus.messages import SERVICES
from edge.config import Config
from tests.conftest import Measured
from tests.support.harness import DATA, emotion_edge
from tests.support.product import Product, product, until_all_speak
from tests.support.sizes import FULL, LONG_RUN_S, LONGEST_S

pytestmark = pytest.mark.timeout(LONGEST_S)
PRESS_S = 5.0
FILM = DATA / "clips" / "expressions_silent.mp4"
EARLY, LATE = (0.05, 0.15), (0.85, 1.0)
"""Parts of the run that are compared."""


def noise(path: Path) -> Path:
    """Two seconds, as loud as speech."""
    samples = np.random.default_rng(0).normal(0, 3000, 32_000)
    soundfile.write(path, samples.astype(np.int16), 16_000)
    return path


def sample(pid: int) -> tuple[float, int, int]:
    """(PSS in MB, descriptors, threads)"""
    folder = Path(f"/proc/{pid}")
    return pss_mb(pid), len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))


def record(running: Product) -> bool:
    """Whether a recording had a result."""
    inlet = running.config.endpoint("in")
    with emotion_edge("record", inlet) as process:
        process.communicate(timeout=60)
    return process.returncode == 0


def medians(samples: list[tuple[float, int, int]], part: tuple[float, float]) -> list[float]:
    size = len(samples)
    chosen = samples[int(part[0] * size) : max(int(part[0] * size) + 1, int(part[1] * size))]
    return [statistics.median(values) for values in zip(*chosen, strict=True)]


def test_twenty_minutes_of_recordings_leave_nothing_behind(
    config: Config, tmp_path: Path, measured: Measured
) -> None:
    sources = ["--microphone", noise(tmp_path / "noise.wav"), "--screen", tmp_path / "screen.png"]
    if FILM.exists():
        sources += ["--camera", FILM]
    with product(config, *sources) as running:
        until_all_speak(running)
        pids = {name: running.pid(name) for name in SERVICES}
        watched = {**pids, "run": running.process.pid}
        samples: dict[str, list[tuple[float, int, int]]] = {name: [] for name in watched}
        recordings = failed = 0
        end_s = time.monotonic() + LONG_RUN_S
        while time.monotonic() < end_s:
            due_s = time.monotonic() + PRESS_S
            recordings += 1
            failed += not record(running)
            for name, pid in watched.items():
                samples[name].append(sample(pid))
            time.sleep(max(0.0, due_s - time.monotonic()))
        restarted = [name for name in SERVICES if running.pid(name) != pids[name]]
        assert running.end()[0] == 0
    what = f"{LONG_RUN_S / 60:.1f} minutes, {recordings} recordings"
    measured(f"{what}: recordings without a result", failed, 0, "")
    measured(f"{what}: processes that were started again", len(restarted), 0, "")
    for name, taken in samples.items():
        growth = np.subtract(medians(taken, LATE), medians(taken, EARLY))
        bar = 5 if FULL else None
        measured(f"{what}: PSS of {name}, more at the end", float(growth[0]), bar, "MB")
        measured(f"{what}: descriptors and threads of {name}, more", float(sum(growth[1:])), 2, "")
