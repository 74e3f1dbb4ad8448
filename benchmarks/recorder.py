"""The recorder against its bars: `python -m benchmarks.recorder docs/reports/recorder.md`.

Root, and what `make test-readers` installs. Hub and recorder are the product's own processes; what
comes over the bus is made here, so that it is known. `--minutes` is how long the disk is watched.
"""

import argparse
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.logged_disk import LoggedDisk, events, image_at, loop_device
from benchmarks.measure import cpu_s, machine, pss_mb
from edge.bus.messages import EMOTION_LABELS, FACE_LABELS, Emotion, FaceMessage, FaceResult
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import BusConfig, Config, GatewayConfig, RecorderConfig
from edge.policy.seconds import SCALE
from edge.recordings import days
from edge.recordings.days import locked
from edge.recordings.reader import Reader
from edge.recordings.store import Store
from tests.support.recordings import ABOUT, NOON, record

RATE_HZ = 30.0
SIZE_MB = 48
CUTS = 50
FLUSH_S = 60.0
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


class Row(NamedTuple):
    bar: str
    what: str
    measured: str
    allowed: str


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
def device(work: Path, folder: Path, **environment: str) -> Iterator[tuple[Config, int]]:
    """A hub and a recorder; yields the settings and the recorder's process id."""
    run = work / "run"
    settings = RecorderConfig(keep_days=30, flush_s=FLUSH_S, directory=str(folder))
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
        yield config, processes[1].pid
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(20)


def watch_disk(work: Path, minutes: float) -> list[Row]:
    """What is written in an hour, and what power cuts leave, of one run."""
    disk = LoggedDisk(work, SIZE_MB)
    time.sleep(20)  # ext4 initialises its tables in the background
    calls = work / "calls"
    with device(work, disk.folder / "kept") as (config, pid):
        feed = Feed(config, 1)
        feed.start()
        tracing = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(calls), "-p", str(pid)]
        tracer = subprocess.Popen(tracing, stderr=subprocess.DEVNULL)
        begin_s = time.time()
        time.sleep(minutes * 60)
        end_s = time.time()
        tracer.terminate()
        tracer.wait()
        feed.stop()
    disk.close()
    synced = calls.read_text().count("sync(")
    first_s = feed.sent[0].t_s + time.time() - time.monotonic()
    return judge_disk(work, disk.size, synced, first_s, begin_s, end_s)


def judge_disk(
    work: Path, size: int, synced: int, first_s: float, begin_s: float, end_s: float
) -> list[Row]:
    """Of the disk's log in `work`. `synced`: calls of fsync; `first_s`: when the first face was."""
    log = list(events(work / "log"))
    hour = 3600 / (end_s - begin_s)
    seen = [event for event in log if begin_s <= event.time < end_s]
    megabytes = sum(len(event.data) for event in seen) / 1e6 * hour
    flushes = sum(event.offset < 0 for event in seen) * hour
    how = f"one face, defaults, ext4; {60 / hour:.0f} minutes, as an hour"
    cuts = [cut(work, size, log, random.Random(n), begin_s, end_s, first_s) for n in range(CUTS)]
    malformed, lost_s, start_s = zip(*cuts, strict=True)
    return [
        Row("1", f"written to the disk in an hour ({how})", f"{megabytes:.2f} MB", "3 MB"),
        Row("1", "fsync and fdatasync in an hour", f"{synced * hour:.0f}", "130"),
        Row("1", "flushes that ext4 made of them, and of its own journal", f"{flushes:.0f}", ""),
        Row("2", f"malformed files after {CUTS} power cuts", f"{sum(malformed)}", "0"),
        Row("2", "lost, at most", f"{max(lost_s):.1f} s", f"{FLUSH_S + 1:.0f} s"),
        Row("2", "the next start, until it writes, at most", f"{max(start_s):.2f} s", "2 s"),
    ]


def cut(
    work: Path,
    size: int,
    log: list,
    luck: random.Random,
    begin_s: float,
    end_s: float,
    first_s: float,
) -> tuple[int, float, float]:
    """(whether a file was malformed, s that are lost, s until it writes again)"""
    cut_s = luck.uniform(begin_s + 5, end_s)
    image, folder = work / "image", work / "cut"
    image.write_bytes(image_at(log, cut_s, size, luck))
    folder.mkdir(exist_ok=True)
    loop = loop_device(image)
    try:
        subprocess.run(["mount", "-o", "noatime", loop, folder], check=True)
        malformed, last_t, start_s = start_again(folder / "kept", cut_s)
    finally:
        subprocess.run(["umount", folder], check=False)
        subprocess.run(["losetup", "-d", loop], check=True)
    kept_until_s = last_t + 1 if last_t else first_s
    return malformed, cut_s - kept_until_s, start_s


def start_again(kept: Path, cut_s: float) -> tuple[int, int, float]:
    """(whether a file is malformed, the last second that is kept, s until it writes)"""
    before_s = time.monotonic()
    with locked(kept):
        store = Store(kept, ABOUT)
        store.begin(cut_s + 30, 1.0, "start")
        assert store.flush(), store.problems
        start_s = time.monotonic() - before_s
        malformed = int(
            "broken" in store.problems or any(".broken" in p.name for p in kept.iterdir())
        )
        store.close()
    last_t = 0
    for path in days.days_in(kept):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            malformed = malformed or int(not whole)
            newest = connection.execute("SELECT max(t) FROM emotion").fetchone()[0]
            last_t = max(last_t, newest or 0)
    return malformed, last_t, start_s


def compare_with_bus(work: Path) -> list[Row]:
    """Ten minutes across a DST change, midnight and a clock that is set back."""
    offsets = work / "faketime"
    kept = work / "kept"

    def set_clock(wanted: str) -> None:
        ahead_s = days.day_start(wanted[:10]) + seconds_of(wanted[11:]) - time.time()
        part = offsets.with_suffix(".new")
        part.write_text(f"{ahead_s:+.3f}\n")
        part.replace(offsets)

    set_clock("2026-10-25T00:58:30")  # 01:00 UTC: Berlin's clocks go back an hour
    environment = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(offsets),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "TZ": "Europe/Berlin",
    }
    with device(work, kept, **environment) as (config, _):
        feed, witness = Feed(config, 1), Witness(config)
        witness.start()
        feed.start()
        time.sleep(180)
        set_clock("2026-10-25T23:57:30")
        time.sleep(240)
        set_clock("2026-10-25T23:01:00")  # set back by about an hour, over midnight
        time.sleep(180)
        feed.stop()
        time.sleep(4)
        witness.stop()
    return judge(kept, witness.seen)


def seconds_of(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def judge(kept: Path, sent: list[Sent]) -> list[Row]:
    """Each second of the bus against the row of it."""
    stretches, rows = [], {}
    for path in days.days_in(kept):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            stretches += connection.execute("SELECT id, unix_s, monotonic_s, why FROM stretch")
            for stretch, t, n, *means in connection.execute(
                f"SELECT stretch, t, n, {', '.join(FACE_LABELS)} FROM face"
            ):
                assert (stretch, t) not in rows
                rows[stretch, t] = n, means
    stretches.sort()
    begins = [monotonic_s for _, _, monotonic_s, _ in stretches]
    truth: dict[tuple[int, int], list[Sent]] = defaultdict(list)
    for one in sent:
        at = max((n for n, begin_s in enumerate(begins) if begin_s <= one.t_s), default=None)
        if at is not None:
            number, unix_s, monotonic_s, _ = stretches[at]
            truth[number, int(one.t_s + unix_s - monotonic_s)].append(one)
    whole = {key: given for key, given in truth.items() if len(given) >= RATE_HZ - 6}
    missing = [key for key in whole if key not in rows]
    miscounted, worst = 0, 0.0
    for key, given in whole.items():
        n, means = rows.get(key, (0, []))
        if n != len(given):
            miscounted += 1
            continue
        for label, mean in zip(FACE_LABELS, means, strict=True):
            real = sum(one.scores[label] for one in given) / n
            worst = max(worst, abs(mean / SCALE - real))
    why = ", ".join(reason for *_, reason in stretches)
    return [
        Row(
            "3",
            f"seconds of {len(whole)} that are missing; stretches: {why}",
            f"{len(missing)}",
            "0",
        ),
        Row("3", "seconds with a frame more or less than on the bus", f"{miscounted}", ""),
        Row("3", "largest error of a mean, in 1/255", f"{worst * SCALE:.2f}", "1"),
    ]


def process(work: Path) -> list[Row]:
    """The recorder's own costs, with ten faces at 30 Hz."""
    with device(work, work / "kept") as (config, pid):
        feed = Feed(config, 10)
        feed.start()
        time.sleep(20)
        before_s, at_s = cpu_s(pid), time.monotonic()
        memory = []
        for _ in range(20):
            time.sleep(6)
            memory.append(pss_mb(pid))
        share = (cpu_s(pid) - before_s) / (time.monotonic() - at_s)
        feed.stop()
    return [
        Row(
            "9", "PSS, ten faces at 30 Hz, the most of 2 minutes", f"{max(memory):.1f} MB", "20 MB"
        ),
        Row("9", "CPU time, of one core", f"{100 * share:.2f} %", "0.5 %"),
    ]


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
Other programs used both cores for most of it, at a load of up to 25, so times are upper ones.

| bar | | measured | allowed |
|---|---|---|---|"""
FOOT = """
The disk of bars 1 and 2 is a loop device with ext4 on a file that logs every write and every flush
([benchmarks/logged_disk.py](../../benchmarks/logged_disk.py)). What the kernel had not written is
lost in a cut, and of what came after the disk's last flush each block of 4 KB is there or not, by
chance. After each cut the image is mounted, which replays ext4's journal; the recorder's own start
runs on it, and SQLite's `integrity_check` on every file.

Bar 3 runs the recorder's process under libfaketime, which sets its Unix time and leaves the
monotonic clock. A second that a change of the clock breaks is in two stretches, with its part in
each.

Bars 4, 5 and 6 are tests: `tests/unit/recordings/test_store.py`, `tests/services/test_recorder.py`
and `tests/readers` (`make test-readers`).
"""

if __name__ == "__main__":
    main()
