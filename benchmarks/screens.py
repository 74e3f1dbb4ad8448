"""Pictures of the screen: `python -m benchmarks.screens docs/reports/screens [CLIP]`.

Frames made of moments of CLIP (without one, of the demo's portrait) go through the product's own
face pipeline, and what it finds through the product's own renderer. Staged is the rest: who stands
beside whom, the recordings, and the minute before.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import msgspec
import numpy as np

from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    OFF,
    SERVICES,
    VOICE_LABELS,
    AudioMessage,
    Emotion,
    FaceMessage,
    FaceResult,
    HealthMessage,
    RecordingMessage,
)
from edge.config import FaceConfig
from edge.devices.camera.demo import DemoCamera
from edge.language import load_language
from edge.overlay import Snapshot, render
from edge.overlay.timeline import Timeline
from edge.pipeline.face import FaceAnalyzer
from edge.types import Image
from tests.support.colour_vision import MACHADO, as_seen_by

NOW_S = 1000.0
FRAME = 640, 480
PEOPLE = {1: (1, 1), 2: (2, 1), 8: (4, 2)}
"""How many -> columns and rows."""
FACE_PART = {1: 0.48, 2: 0.5, 8: 0.52}
"""Of a person's place, how much the face takes."""
SOFT_PX = 16
MOMENTS = 40
SIZES = {"640x480": (640, 480), "1080p": (1920, 1080), "4k": (3840, 2160)}
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
NOTICE = {
    "en": "Nothing is stored, nothing leaves this device. Questions? Room 12",
    "de": "Nichts wird gespeichert, nichts verlässt dieses Gerät. Fragen? Raum 12",
}


class Scene(NamedTuple):
    frame: Image | None
    faces: list[FaceResult]


def moments_of(clip: Path | None) -> list[Image]:
    """Frames spread over the film, or over the demo's sway."""
    if clip is None:
        demo = DemoCamera(*FRAME, 30.0)
        return [demo.frame_at(second / 4) for second in range(MOMENTS)]
    film = cv2.VideoCapture(str(clip))
    count = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = []
    for number in np.linspace(0, count - 10, MOMENTS).astype(int):
        film.set(cv2.CAP_PROP_POS_FRAMES, int(number))
        frames.append(np.asarray(film.read()[1], np.uint8))
    return frames


def portraits(analyzer: FaceAnalyzer, moments: list[Image]) -> list[tuple[Image, FaceResult]]:
    """The moments in which a face is found, and the largest one."""
    found = [(moment, analyzer.analyze_image(moment)) for moment in moments]
    return [(moment, max(faces, key=lambda f: f.box[2])) for moment, faces in found if faces]


def tile(portrait: tuple[Image, FaceResult], size: tuple[int, int], part: float) -> Image:
    """A picture of (w, h) px: the moment before its own wall; the face takes `part` of a side."""
    moment, face = portrait
    height, width = moment.shape[:2]
    x, _, w, _ = face.box
    scale = part * min(size) / w
    move = np.array(
        [[scale, 0, size[0] / 2 - scale * (x + w / 2)], [0, scale, size[1] - scale * height]]
    )
    wall = cv2.resize(cv2.blur(moment[:, : width // 4], (9, 9)), size)
    mask = np.zeros((height, width), np.float32)
    mask[SOFT_PX:, SOFT_PX:-SOFT_PX] = 1
    mask = cv2.blur(mask, (2 * SOFT_PX, 2 * SOFT_PX), borderType=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask, move, size)[..., None]
    shown = cv2.warpAffine(moment, move, size, flags=cv2.INTER_AREA)
    return np.asarray(shown * share + wall * (1 - share), np.uint8)


def stage(analyzer: FaceAnalyzer, cast: list[tuple[Image, FaceResult]], count: int) -> Scene:
    """So many people side by side, as the face pipeline sees them."""
    columns, rows = PEOPLE[count]
    size = FRAME[0] // columns, FRAME[1] // rows
    picked = [cast[int(at)] for at in np.linspace(len(cast) - 3, 0, count)]
    tiles = [tile(portrait, size, FACE_PART[count]) for portrait in picked]
    lines = [np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)]
    frame = np.vstack(lines)
    return Scene(frame, analyzer.analyze_image(frame))


def minute(cast: list[tuple[Image, FaceResult]], faces: list[FaceResult]) -> Timeline:
    """Sixty seconds that end as the scene is: each person shows the film's emotions in turn."""
    timeline = Timeline()
    for step in range(600):
        then_s = NOW_S - 60 + step / 10
        there = {}
        for index, face in enumerate(faces):
            came_s, seconds = 7 * index, step / 10 - 4 * index
            if step / 10 >= came_s and not 26 + 3 * index < step / 10 < 33 + 2 * index:
                label = cast[int(seconds * len(cast) / 24) % len(cast)][1].emotion
                there[face.id] = label if step < 560 - 8 * index else face.emotion
        timeline.add_faces(then_s, there)
    timeline.add_voice(NOW_S - 41, NOW_S - 39, "sad")
    timeline.add_voice(NOW_S - 6, NOW_S - 4, "happy")
    return timeline


def at(age_s: float = 0.0) -> dict[str, Any]:
    return {"t_ns": round((NOW_S - age_s) * 1e9), "time": time.time()}


def health(state: str = "ok", detail: str = "") -> HealthMessage:
    return HealthMessage(
        **at(0.5),
        state=state,  # type: ignore[arg-type]
        detail=detail,
        rate_hz=30.0,
        dropped=0,
        rss_mb=50.0,
        uptime_s=99.0,
        version="",
    )


def voice() -> AudioMessage:
    scores = dict.fromkeys(VOICE_LABELS, 0.04) | {"happy": 0.58, "surprised": 0.18}
    return AudioMessage(
        **at(4.0),
        trigger="button",
        duration_s=2.0,
        speech=True,
        emotion="happy",
        confidence=0.58,
        scores=scores,
        level_dbfs=-24.0,
        inference_ms=6.0,
    )


def fused(faces: list[FaceResult], voice_age_s: float | None = 4.0) -> Emotion | None:
    if not faces:
        return None
    face = max(faces, key=lambda f: f.box[2])
    return Emotion(
        **at(),
        emotion=face.emotion,
        confidence=face.confidence,
        scores=face.scores,
        face_age_s=0.02,
        voice_age_s=voice_age_s,
        face_id=face.id,
    )


def by_voice() -> Emotion:
    """What a voice alone makes of it, four seconds later."""
    scores = dict.fromkeys(EMOTION_LABELS, 0.07) | {"happy": 0.51}
    return Emotion(**at(), emotion="happy", confidence=0.51, scores=scores, voice_age_s=4.0)


def snapshot(scene: Scene, timeline: Timeline, **changes: Any) -> Snapshot:
    """All is well, and somebody has just spoken."""
    faces = FaceMessage(
        **at(0.01), frame_seq=1, frame_size=FRAME, faces=scene.faces, inference_ms=9.0
    )
    usual = Snapshot(
        now_ns=round(NOW_S * 1e9),
        since_ns=0,
        face=faces,
        audio=voice(),
        recording=RecordingMessage(**at(), phase="idle", button=True),
        emotion=fused(scene.faces),
        health={name: health() for name in SERVICES},
        frame_t_ns=round((NOW_S - 0.02) * 1e9),
        rate_hz=30.0,
        lag_ms=38.0,
        timeline=timeline,
    )
    return msgspec.structs.replace(usual, **changes)


def busy_minute() -> Snapshot:
    """Two people, a voice, and a minute full of both."""
    scores = dict.fromkeys(FACE_LABELS, 0.02) | {"happy": 0.58, "sad": 0.3}
    faces = [
        FaceResult(
            id=number,
            box=(120.0 + 240 * number, 120.0, 110.0, 110.0),
            emotion="happy",
            confidence=0.58,
            scores=scores,
        )
        for number in range(2)
    ]
    timeline = Timeline()
    for step in range(600):
        labels = {face.id: FACE_LABELS[step // 20 % len(FACE_LABELS)] for face in faces}
        timeline.add_faces(NOW_S - 60 + step / 10, labels)
    return snapshot(Scene(None, faces), timeline)


def moment(phase: str, elapsed_s: float, level_dbfs: float | None) -> RecordingMessage:
    return RecordingMessage(
        **at(),
        phase=phase,  # type: ignore[arg-type]
        elapsed_s=elapsed_s,
        level_dbfs=level_dbfs,
        button=True,
    )


def pictures(clip: Path | None) -> Iterator[tuple[str, Image]]:
    """(name, picture), all of them."""
    analyzer = FaceAnalyzer.from_config(FaceConfig(), 1)
    cast = portraits(analyzer, moments_of(clip))
    scenes = {count: stage(analyzer, cast, count) for count in PEOPLE}
    empty = Scene(_empty(cast), [])
    minutes = {count: minute(cast, scene.faces) for count, scene in scenes.items()}
    german = {"language": load_language("de"), "notice": NOTICE["de"]}
    shots: dict[str, Snapshot] = {}
    frames: dict[str, Image | None] = {}

    def add(name: str, scene: Scene, timeline: Timeline, **changes: Any) -> None:
        shots[name], frames[name] = snapshot(scene, timeline, **changes), scene.frame

    for count, scene in scenes.items():
        add(f"{count}-people" if count > 1 else "1-person", scene, minutes[count])
    one, two, left = scenes[1], scenes[2], Timeline()
    add("waiting", one, minutes[1], recording=moment("waiting", 0.6, -48.0))
    add("recording", one, minutes[1], recording=moment("recording", 1.2, -17.0), has_keys=False)
    add("analysing", one, minutes[1], recording=moment("analysing", 2.0, None))
    kept = {name: health() for name in SERVICES}
    kept["recorder"] = msgspec.structs.replace(health(), recording_data=True)
    add("recording-data", one, minutes[1], health=kept)
    add("german-recording-data", two, minutes[2], health=kept, language=german["language"])
    add("recording-data-nobody", empty, left, audio=None, emotion=None, health=kept)
    add("nobody", empty, left, audio=None, emotion=None, notice=NOTICE["en"])
    add("german", two, minutes[2], **german)
    add("german-nobody", empty, left, audio=None, emotion=None, **german)
    add("german-waiting", one, minutes[1], recording=moment("waiting", 0.6, -48.0), **german)
    wrong = {name: health() for name in SERVICES} | {
        "audio": health("degraded", "no microphone found: plug one in, or set audio.source")
    }
    alone = fused(one.faces, None)
    add("degraded", one, minutes[1], health=wrong, audio=None, emotion=alone)
    off = {name: health() for name in SERVICES} | {"camera": health("ok", OFF)}
    blind = {"frame_t_ns": None, "face": None}
    add("voice-only", Scene(None, []), minute(cast, []), health=off, emotion=by_voice(), **blind)
    add("no-camera", Scene(None, []), left, frame_t_ns=None, face=None, audio=None, emotion=None)
    for name, shot in shots.items():
        for size_name, size in SIZES.items():
            if size_name in wanted_sizes(name):
                yield f"{name}-{size_name}", render(frames[name], shot, size)
    for name, size in (("800x480", (800, 480)), ("480x800", (480, 800))):
        yield f"1-person-{name}", render(one.frame, shots["1-person"], size)
    for vision in MACHADO.keys() - {"normal"}:
        seen = render(frames["8-people"], shots["8-people"], SIZES["1080p"])
        yield f"8-people-{vision}-1080p", as_seen_by(vision, seen)


def wanted_sizes(name: str) -> tuple[str, ...]:
    """All sizes for what is usual, two for the rest."""
    usual = name in ("1-person", "2-people", "8-people")
    return tuple(SIZES) if usual else ("640x480", "1080p")


def _empty(cast: list[tuple[Image, FaceResult]]) -> Image:
    """A room without anybody: the film's backdrop, blurred until no face is left."""
    small = cv2.resize(cast[0][0][:, :40], (8, 6), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, FRAME, interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("clip", type=Path, nargs="?")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(options.clip):
        path = options.folder / f"{name}.jpg"
        cv2.imwrite(str(path), picture, QUALITY)
        print(path)


if __name__ == "__main__":
    main()
