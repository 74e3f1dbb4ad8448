"""What the recorder writes to a disk in an hour, and what power cuts leave of it."""

import contextlib
import random
import sqlite3
import subprocess
import time
from pathlib import Path

from benchmarks.logged_disk import LoggedDisk, events, image_at, loop_device
from benchmarks.recorder_device import Feed, Row, device
from edge.recordings import days
from edge.recordings.days import locked
from edge.recordings.store import Store
from tests.support.recordings import ABOUT

SIZE_MB = 48
CUTS = 50
FLUSH_S = 60.0


def watch_disk(work: Path, minutes: float) -> list[Row]:
    """What is written in an hour, and what power cuts leave, of one run."""
    disk = LoggedDisk(work, SIZE_MB)
    time.sleep(20)  # ext4 initialises its tables in the background
    calls = work / "calls"
    with device(work, disk.folder / "kept", flush_s=FLUSH_S) as (config, pids):
        feed = Feed(config, 1)
        feed.start()
        tracing = [
            "strace",
            "-f",
            "-e",
            "trace=fsync,fdatasync",
            "-o",
            str(calls),
            "-p",
            str(pids.recorder),
        ]
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
