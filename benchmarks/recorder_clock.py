"""Each second on the bus against its row, while the clock of the recorder is set."""

import contextlib
import sqlite3
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.recorder_device import RATE_HZ, Feed, Row, Sent, Witness, device
from edge.bus.messages import FACE_LABELS
from edge.policy.seconds import SCALE
from edge.recordings import days

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


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
    with device(work, kept, environment) as (config, _):
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
