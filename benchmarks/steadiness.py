"""How steady boxes and labels are: `python -m benchmarks.steadiness [FILE.md]`.

Boxes on a still photograph and on a film, labels on the film and on faces that talk, and how often
`emotion` comes from the running product. The film and the faces that talk need the research data
(`--data`), and are left out without it. "Before" is what the rules without a memory make
of the same scores and detections: the best label that reaches the threshold, the box as detected.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.labels import Run, delays, label_rates, runs, shortest
from benchmarks.product import Product, running, settings
from benchmarks.talking import talking_faces
from edge.bus.messages import Emotion, FaceMessage, FaceResult, Message
from edge.config import CameraConfig, DetectorConfig, FaceConfig
from edge.inference.face_box import FaceBox
from edge.inference.face_emotion import FaceEmotion
from edge.inference.stream_detector import StreamDetector
from edge.inference.yunet import YUNET_PATH
from edge.paths import ASSETS
from edge.pipeline.face import FaceAnalyzer
from edge.policy.decision import decide
from edge.types import Image

PHOTO = ASSETS / "astronaut.jpg"
FILM = Path("clips", "expressions_silent.mp4")
"""In the folder of the data."""
RATE_HZ = 30.0
STILL_S, SETTLE_S = 8.0, 1.0
MAX_LAG_FRAMES = 4.0
PRODUCT_S = 18.0
NOISE = 3.0
"""Grey levels, standard deviation: a camera's in a lit room."""
LIVELY = 1.4, 2.8
"""Label changes a second in two films of people who talk, by the rule before."""
CONFIG = FaceConfig()
Kind = Literal["yunet", "haar"]
Boxes = NDArray[np.float64]
"""(n, 3): x, y and side, px"""


class Shown(NamedTuple):
    """What one frame gave."""

    t_s: float
    detected: FaceBox
    face: FaceResult


class Row(NamedTuple):
    """A line of the table."""

    what: str
    before: str
    after: str
    bar: str


PAGE = """# How steady boxes and labels are

Made by `python -m benchmarks.steadiness --data DATA docs/reports/steadiness.md`.

"Before" is what the same detections and scores give without a memory: the box as it is
detected, and with every frame the best label that reaches the threshold. A change is real where
the labels before and after it both last 0.4 s by that rule. The film is that of the README's
strip, 472 frames of a woman who makes faces. No film of people who talk was at hand: the faces
that talk are [a stand-in](../../benchmarks/talking.py), photographs of FER2013's PublicTest whose
mouths open with the loudness of RAVDESS's sentences. Of these those count whose label changed 1.4
to 2.8 times a second before, as in the two films of people who talk that the bar was set by.

{table}

The rows of the product depend on how busy the machine is, as frames are dropped and messages wait:
eight runs at a load of 10 to 24 on two cores, which left 9 to 21 frames a second, gave 0.22, 0.25,
0.25, 0.28, 0.30, 0.32, 0.33 and 0.50 s, the film by its frames' own time 0.25 s. By the last rules
(0.25 s and 0.03 for what is 0.2 s and 0.04 now) that was 0.29 s, the product 0.28 to 0.33 s at
a load of 4 to 20, and the labels of faces that talk changed 0.70 times a second.

What is detected on a still photograph stands still by itself, since a followed face is looked for
where it was before. Until then (4c7e957) the boxes on the three stills moved by 3.1, 11.1 and
11.7 px and changed by 2.2, 7.7 and 10.1 px in size with YuNet, by 3.0, 4.0 and 6.0 px and by 5.0,
6.9 and 9.9 px with Haar. A processed frame costs as much CPU as it did (`make bench`'s figure, two
runs of each version in turn on a machine that others kept busy): 6.8 and 6.3 ms before, 6.6 and
6.8 ms now with YuNet, 8.9 and 8.5, then 9.1 and 8.5 ms with Haar.

Where two people, or two scenes, follow each other in one place, appearances tell them apart: of
6,000 pairs of PublicTest's faces 96 % correlate less than the threshold of 0.6, of 6,000 of these
faces with the woman of the film 85 %. She correlates with herself by 0.87 at least from frame to
frame, and by 0.58 at least after half a second without a detection, so that a face that turns away
meanwhile may get a new id.
"""


class Recorder:
    """A detector that keeps what it found last."""

    def __init__(self, detector: StreamDetector) -> None:
        self._detector = detector
        self.found: list[FaceBox] = []

    def detect(self, image: Image) -> list[FaceBox]:
        self.found = self._detector.detect(image)
        return self.found


class FixedDetector:
    """One face, always in the same place."""

    def __init__(self, face: FaceBox) -> None:
        self.face = face

    def detect(self, _image: Image) -> list[FaceBox]:
        return [self.face]


def followed(kind: Kind, frames: Iterable[Image], rate_hz: float) -> list[Shown]:
    """The largest face of every frame, through the device's own code, by the frames' own time."""
    now = [0.0]
    config = FaceConfig(detector=DetectorConfig(kind=kind))
    analyzer = FaceAnalyzer.from_config(config, 1, clock=lambda: now[0])
    recorder: Any = Recorder(analyzer.detector)
    analyzer.detector = recorder
    shown = []
    for number, frame in enumerate(frames):
        now[0] = number / rate_hz
        faces = analyzer.analyze(frame, now[0])
        if recorder.found and faces:
            largest = max(recorder.found, key=lambda face: face.box[2])
            shown.append(Shown(now[0], largest, faces[-1]))
    return shown


def film(path: Path) -> tuple[list[Image], float]:
    """Its frames, and how many a second."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames, capture.get(cv2.CAP_PROP_FPS)


def stills() -> Iterator[tuple[str, list[Image]]]:
    """The photograph as `--camera FILE` repeats it, at 480x448, and with a camera's noise."""
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    large = np.asarray(cv2.resize(photo, None, fx=1.6, fy=1.6), np.uint8)
    count = round(STILL_S * RATE_HZ)
    yield "a still photograph", [photo] * count
    yield "the same at 480x448", [large] * count
    random = np.random.default_rng(0)
    yield "the same with noise", [with_noise(large, random) for _ in range(count)]


def with_noise(image: Image, random: np.random.Generator) -> Image:
    noisy = image + random.normal(0, NOISE, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def boxes(shown: Sequence[Shown]) -> tuple[Boxes, Boxes]:
    """As detected, and as published."""
    return (
        np.array([one.detected.box[:3] for one in shown]),
        np.array([one.face.box[:3] for one in shown]),
    )


def span(found: Boxes) -> str:
    """How far a box moves and grows in all, once it has settled."""
    x, y, side = np.ptp(found[round(SETTLE_S * RATE_HZ) :], axis=0)
    return f"{max(x, y):.1f} px, {side:.1f} px in size"


def lag_frames(detected: Boxes, published: Boxes) -> float:
    """The delay of the detections that comes nearest to what is published."""
    at = np.arange(len(detected))
    start = int(MAX_LAG_FRAMES) + 1

    def error(lag: float) -> float:
        delayed = [np.interp(at - lag, at, column) for column in detected.T]
        return float(np.square(np.array(delayed).T - published)[start:].mean())

    return float(min(np.arange(0.0, MAX_LAG_FRAMES, 0.1), key=error))


def label_rows(name: str, before: list[Run], after: list[Run]) -> list[Row]:
    late = delays(before, after)
    latest = f"{max(late):.2f} s later" if late else "-"
    changes = f"{len(late)} real change{'s' * (len(late) != 1)}"
    return [
        Row(f"{name}: labels", shortest(before), shortest(after), "none below 0.4 s"),
        Row(f"{name}: {changes}", "-", latest, "at most 0.3 s later"),
    ]


def without_memory(shown: Sequence[Shown]) -> list[Run]:
    return runs([(one.t_s, decide(one.face.scores, CONFIG.threshold)[0]) for one in shown])


def published(shown: Sequence[Shown]) -> list[Run]:
    return runs([(one.t_s, one.face.emotion) for one in shown])


def still_rows(kind: Kind) -> Iterator[Row]:
    for name, frames in stills():
        detected, shown = boxes(followed(kind, frames, RATE_HZ))
        bar = "-" if "noise" in name else "1 px"
        yield Row(f"{kind}, {name}: box moves", span(detected), span(shown), bar)


def film_rows(kind: Kind, path: Path) -> Iterator[Row]:
    shown = followed(kind, *film(path))
    lag = lag_frames(*boxes(shown))
    yield Row(f"{kind}, film: box lags", "0", f"{lag:.1f} frames", "1 frame")
    yield from label_rows(f"{kind}, film", without_memory(shown), published(shown))


def talking_rows(data: Path) -> Iterator[Row]:
    """Of the faces that change label as often as people in films of talk did."""
    rates = np.array(list(itertools.starmap(label_rates, map(watched, talking_faces(data)))))
    lively = rates[(rates[:, 0] >= LIVELY[0]) & (rates[:, 0] <= LIVELY[1])]
    before, after = (
        f"{column.mean():.2f} a second (at most {column.max():.2f})" for column in lively.T
    )
    what = f"{len(lively)} of {len(rates)} faces made to talk: labels change"
    yield Row(what, before, after, "0.7 a second")


def watched(frames: list[Image]) -> tuple[list[Run], list[Run]]:
    """Labels before and after of a face that fills its frames."""
    box = (0.0, 0.0, *map(float, frames[0].shape[:2]))
    detector: Any = FixedDetector(FaceBox(box, 1.0))
    analyzer = FaceAnalyzer(detector, FaceEmotion(Path(CONFIG.model)), CONFIG)
    faces = [analyzer.analyze(frame, number / RATE_HZ)[0] for number, frame in enumerate(frames)]
    shown = [Shown(n / RATE_HZ, detector.face, face) for n, face in enumerate(faces)]
    return without_memory(shown), published(shown)


def fused_rows(data: Path) -> Iterator[Row]:
    """Of the running product: the film, and a frame with nobody."""
    with running(settings(camera=CameraConfig(source=str(data / FILM))), "--screen", "none") as one:
        received = list(messages(one))
    faces = [(at_s, m) for at_s, m in received if isinstance(m, FaceMessage) and m.faces]
    emotions = [(at_s, m) for at_s, m in received if isinstance(m, Emotion)]
    before = runs([(at, decide(m.faces[0].scores, CONFIG.threshold)[0]) for at, m in faces])
    after = runs([(at, m.emotion) for at, m in emotions if m.face_age_s is not None])
    yield from label_rows("the product, film, `emotion`", before, after)
    yield rate_row("the product, film: `emotion`", len(faces), len(emotions), "10 a second")
    with tempfile.TemporaryDirectory() as folder:
        grey = Path(folder) / "nobody.png"
        cv2.imwrite(str(grey), np.full((480, 640, 3), 128, np.uint8))
        with running(settings(camera=CameraConfig(source=str(grey))), "--screen", "none") as one:
            received = list(messages(one))
    count = {kind: sum(isinstance(m, kind) for _, m in received) for kind in (FaceMessage, Emotion)}
    yield rate_row("the product, nobody: `emotion`", *count.values(), "1 a second")


def messages(product: Product) -> Iterator[tuple[float, Message]]:
    """(when it was published, s; message), from the first face message on."""
    product.until(lambda topic, _: topic == "face")
    for _, message in product.during(PRODUCT_S):
        yield message.t_ns / 1e9 + message.age_ms / 1e3, message


def rate_row(what: str, before: int, after: int, bar: str) -> Row:
    """Before there was an `emotion` with each `face`."""
    return Row(what, f"{before / PRODUCT_S:.1f} a second", f"{after / PRODUCT_S:.1f} a second", bar)


def measured(data: Path) -> Iterator[Row]:
    """What can be measured with the data that is there."""
    kinds: list[Kind] = ["yunet", "haar"] if YUNET_PATH.exists() else ["haar"]
    for kind in kinds:
        yield from still_rows(kind)
        if (data / FILM).exists():
            yield from film_rows(kind, data / FILM)
    if (data / "fer2013.npz").exists():
        yield from talking_rows(data)
    if (data / FILM).exists():
        yield from fused_rows(data)


def table(rows: Sequence[Row]) -> str:
    lines = ["| what | before | after | bar |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, nargs="?", help="a page, FILE.md")
    parser.add_argument("--data", type=Path, default=Path("training/data"))
    options = parser.parse_args()
    found = table(list(measured(options.data)))
    print(found)
    if options.report:
        options.report.write_text(PAGE.format(table=found))


if __name__ == "__main__":
    main()
