"""Recordings for tests: files as the recorder leaves them, full of what is known."""

import math
from collections.abc import Iterator
from pathlib import Path

from edge.bus.messages import EMOTION_LABELS, FACE_LABELS, FaceMessage, FaceResult
from edge.bus.recordings import Position, Session
from edge.policy.seconds import SCALE, Row
from edge.recordings.days import day_start, locked
from edge.recordings.store import About, Store

ABOUT = About("kitchen", "0", "{}")
NOON = day_start("2026-11-23") + 12 * 3600


def rows_of(t: int, faces: int = 1) -> Iterator[Row]:
    """A second: the emotion changes every 30 s, and nobody is there in each fifth minute."""
    there = faces if t // 60 % 5 else 0
    label = FACE_LABELS[t // 30 % len(FACE_LABELS)]
    scores = {name: SCALE * 9 // 10 if name == label else SCALE // 70 for name in EMOTION_LABELS}
    means = ("nobody", SCALE, None, *[None] * len(EMOTION_LABELS))
    if there:
        means = (label, SCALE, SCALE * 9 // 10, *scores.values())
    yield Row("emotion", (t, 8, 30, float(there), *means))
    for number in range(1, there + 1):
        box = (100 + 10 * number, round(100 + 20 * math.sin(t)), 120, 120)
        given = (scores[name] for name in FACE_LABELS)
        yield Row("face", (t, number, 30, label, SCALE, SCALE * 9 // 10, *given, *box))


def record(directory: Path, start: int, seconds: int, faces: int = 1, why: str = "start") -> None:
    """Of so many seconds, in one stretch for each day, as the recorder does it."""
    with locked(directory):
        store = Store(directory, ABOUT)
        store.begin(start, 100.0, why)
        for t in range(start, start + seconds):
            if t == store.day_end:
                store.begin(t, 100.0 + t - start, "midnight")
            store.add([*rows_of(t, faces)])
            if t % 60 == 0:
                store.flush()
        store.close()


def record_session(
    directory: Path, start: int, seconds: int, note: str = "", faces: int = 1
) -> Session:
    """A session of its own, with a mark in its middle, a voice and a change."""
    with locked(directory):
        store = Store(directory, ABOUT)
        store.begin(start, 100.0, "start")
        session = store.start_session(note, "form 12", (store.stretch, start + 0.25))
        assert session is not None
        for t in range(start, start + seconds):
            store.add([*rows_of(t, faces)])
            if t == start + seconds // 2:
                store.add(events_at(t + 0.5))
        stop: Position = (store.stretch, start + seconds - 0.5)
        stopped = store.stop_session(stop)
        store.close()
    assert stopped is not None
    return stopped


def events_at(t: float) -> list[Row]:
    scores = (10, 20, 30, 120, 10, 20, 30, 15)
    return [
        Row("voice", (t, "sad", 120, 1, 2.0, -21.5, "button", *scores)),
        Row("change", (t, "happy", "sad", 12.5)),
        Row("health", (t, "camera", "degraded", "no camera found")),
        Row("mark", (t, '=cmd()\n"film" <b>, 🙂')),
    ]


def face_message(t_ns: int, *faces: FaceResult, seq: int = 0) -> FaceMessage:
    return FaceMessage(
        t_ns=t_ns, time=0.0, seq=seq, frame_seq=0, frame_size=(640, 480), faces=list(faces),
        inference_ms=1.0,
    )  # fmt: skip
