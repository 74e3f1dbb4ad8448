"""The recorder against its bars: `python -m benchmarks.recorder docs/reports/recorder.md`.

Root. `disk` and `bus` need what `make test-readers` installs, `lsl` and `process` the product:
`--only PART` runs a part in the environment that has what it needs. Hub and recorder are the
product's own processes; what comes over the bus is made here, so that it is known. `--minutes` is
how long the disk is watched.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.measure import cpu_s, machine, pss_among_mb, pss_mb
from benchmarks.recorder_clock import compare_with_bus
from benchmarks.recorder_device import Feed, Row, device
from benchmarks.recorder_disk import watch_disk
from edge.bus.messages import SERVICES
from edge.config import (
    AudioConfig,
    BusConfig,
    CameraConfig,
    Config,
    DisplayConfig,
    GatewayConfig,
    RecorderConfig,
)
from edge.recordings import days
from edge.recordings.reader import Reader
from tests.support.recordings import NOON, record


def process(work: Path) -> list[Row]:
    """The recorder's own costs, with ten faces at 30 Hz."""
    share, alone_mb, own_mb = costs(work, "second")
    each_share, *_ = costs(work, "frame")
    product_mb = in_product_mb(work)
    return [
        Row("9", "CPU time, ten faces at 30 Hz, of one core", f"{100 * share:.2f} %", "0.5 %"),
        Row("", 'the same with `detail = "frame"`', f"{100 * each_share:.2f} %", ""),
        Row("9", "PSS among the product's eight processes", f"{product_mb:.1f} MB", "20 MB"),
        Row("", "PSS where only a hub runs beside it", f"{alone_mb:.1f} MB", ""),
        Row("", "of it, memory that it shares with nobody", f"{own_mb:.1f} MB", ""),
    ]


def costs(work: Path, detail: str) -> tuple[float, float, float]:
    """(share of a core, PSS with a hub alone in MB, its own memory in MB), over two minutes."""
    with device(work, work / detail, detail=detail) as (config, pids):
        feed = Feed(config, 10)
        feed.start()
        time.sleep(20)
        before_s, at_s = cpu_s(pids.recorder), time.monotonic()
        time.sleep(120)
        share = (cpu_s(pids.recorder) - before_s) / (time.monotonic() - at_s)
        alone_mb = pss_among_mb(pids.recorder, [pids.hub])
        own_mb = pss_mb(pids.recorder, "Pss_Anon")
        feed.stop()
    return share, alone_mb, own_mb


def in_product_mb(work: Path) -> float:
    """PSS of the recorder while `run` shows its demo."""
    config = Config(
        bus=BusConfig(directory=str(work / "product")), gateway=GatewayConfig(local=""),
        camera=CameraConfig(source="demo"), audio=AudioConfig(source="none"),
        display=DisplayConfig(screen="none"),
        recorder=RecorderConfig(keep_days=1, directory=str(work / "shown")),
    )  # fmt: skip
    file = work / "product.json"
    file.write_bytes(msgspec.json.encode(config))
    command = [sys.executable, "-m", "edge", "run", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        time.sleep(90)
        names = (*SERVICES, "recorder")
        pids = [int((work / "product" / f"{name}.lock").read_text()) for name in names]
        found = pss_among_mb(pids[-1], pids[:-1])
        running.terminate()
    return found


def export_day(work: Path) -> list[Row]:
    kept = work / "kept"
    record(kept, NOON, days.DAY_S)
    config = Config(
        bus=BusConfig(directory=str(work / "none")), recorder=RecorderConfig(directory=str(kept))
    )
    file = work / "config.json"
    file.write_bytes(msgspec.json.encode(config))
    command = [sys.executable, "-m", "edge", "export", "--from", "2026-11-23", "--to", "2026-11-25"]
    output = work / "day.csv"
    begin_s = time.monotonic()
    running = subprocess.Popen([*command, "--config", str(file), "--output", str(output)])
    _, status, used = os.wait4(running.pid, 0)
    wall_s = time.monotonic() - begin_s
    assert status == 0
    load = os.getloadavg()[0]
    size = output.stat().st_size / 1e6
    return [
        Row(
            "7",
            f"export of 24 h, one face, csv ({size:.0f} MB): CPU time",
            f"{used.ru_utime + used.ru_stime:.1f} s",
            "",
        ),
        Row("7", f"the same, by the clock, at a load of {load:.0f}", f"{wall_s:.1f} s", "5 s"),
        Row("7", "the same, RSS", f"{used.ru_maxrss / 1024:.0f} MB", "60 MB"),
    ]


def history_speed(work: Path) -> list[Row]:
    from edge.bus.history import HistoryRequest

    kept = work / "week"
    for day in range(7):
        record(kept, NOON - 43_200 + day * days.DAY_S, days.DAY_S)
    begin_s = time.process_time()
    steps = []
    since = NOON - 43_200.0
    request = HistoryRequest(since=since, until=since + 7 * days.DAY_S)
    for _ in Reader(kept).history(request):
        steps.append(time.process_time() - begin_s)
        begin_s = time.process_time()
    return [
        Row("", "history of 7 days for the page: CPU time", f"{sum(steps):.2f} s", ""),
        Row(
            "", "the same, the longest part that nothing else waits for", f"{max(steps):.2f} s", ""
        ),
    ]


def measure_lsl(work: Path) -> list[Row]:
    from benchmarks.lsl import measure

    return [Row("8", *row) for row in measure(work)]


PARTS: dict[str, Callable[[Path, float], list[Row]]] = {
    "disk": watch_disk,
    "bus": lambda work, _: compare_with_bus(work),
    "export": lambda work, _: export_day(work),
    "history": lambda work, _: history_speed(work),
    "lsl": lambda work, _: measure_lsl(work),
    "process": lambda work, _: process(work),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, nargs="?", help="FILE.md; its figures go to FILE.json")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    options = parser.parse_args()
    for name in options.only:
        work = Path(tempfile.mkdtemp(prefix=f"ee-{name}-"))
        rows = PARTS[name](work, options.minutes)
        for row in rows:
            print(*row, sep=" | ", flush=True)
        shutil.rmtree(work, ignore_errors=True)
        if options.report:
            write(options.report, name, rows)


def write(report: Path, name: str, rows: list[Row]) -> None:
    """Put a part's figures in place of its older ones, and make the page of all."""
    figures = report.with_suffix(".json")
    known = msgspec.json.decode(figures.read_bytes()) if figures.exists() else {}
    known[name] = rows
    figures.write_bytes(msgspec.json.format(msgspec.json.encode(known)) + b"\n")
    lines = [f"| {' | '.join(row)} |" for part in PARTS for row in known.get(part, [])]
    here = "{cpu}, {cores} cores, {system}, Python {python}".format(**machine())
    head = HEAD.format(machine=here)
    report.write_text("\n".join([head, *lines, FOOT]))


HEAD = """# The recorder against its bars

By `python -m benchmarks.recorder docs/reports/recorder.md` (root; `--only PART` measures one part
again) on {machine}.
Other programs used both cores for most of it, at a load of up to 28, so times are upper ones.

| bar | | measured | allowed |
|---|---|---|---|"""
FOOT = """
The disk of bars 1 and 2 is a loop device with ext4 on a file that logs every write and every flush
([benchmarks/logged_disk.py](../../benchmarks/logged_disk.py)). What the kernel had not written is
lost in a cut, and of what came after the disk's last flush each block of 4 KB is there or not, by
chance. After each cut the image is mounted, which replays ext4's journal; the recorder's own start
runs on it, and SQLite's `integrity_check` on every file.

Bar 1 was 3.45 MB an hour as long as the log had a `-shm` on the disk, which the kernel wrote back
after every commit; it is in memory now. The log is copied into the file after 250 pages, several
times in a measurement.

Bar 3 runs the recorder's process under libfaketime, which sets its Unix time and leaves the
monotonic clock. A second that a change of the clock breaks is in two stretches, with its part in
each.

PSS counts the pages of a library in equal parts for the processes that have it mapped: those of the
product alone, whatever else ran. The interpreter and the libraries that every process of the
product imports are 11 MB of what the recorder shares with nobody.

Bars 4, 5 and 6 are tests: `tests/robustness/test_recorder_disk.py`,
`tests/unit/recordings/test_store.py`, `tests/services/test_recorder.py` and `tests/readers`
(`make test-readers`). On a disk that became full, or that the kernel made read-only after an error,
and after a file was removed, replaced or written over, health told it within 1.1 to 1.7 s (allowed:
5 s; one run, at a load of 14), and the recorder went on by itself.
"""

if __name__ == "__main__":
    main()
