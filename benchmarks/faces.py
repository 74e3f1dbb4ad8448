"""Which faces are found, near and far, and what is taken for one: `python -m benchmarks.faces`.

Needs FER2013 (--data) and the pictures of benchmarks/fetch_pictures.sh (--pictures). With FILE.md
the tables go there, too (docs/reports/faces.md).
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.empty_scenes import NAMES, as_filmed, frames_of, pictures, room
from edge.config import DetectorConfig
from edge.inference.face_box import SAME_FACE_IOU, FaceBox, overlap
from edge.inference.stream_detector import Kind, StreamDetector
from edge.paths import ASSETS
from edge.pipeline.face import detector_from_config
from edge.types import Box, Image
from training.face import data as face_data
from training.face.scenes import HEIGHT, WIDTH, backdrop

KINDS: tuple[Kind, ...] = ("yunet", "haar")
MIN_FACES = (16, 20, 24, 28, 32, 40, 48, 64)
"""px, of which one is the default."""
BANDS = (16, 20, 24, 32, 48, 96, 240)
"""Sides of faces, px."""
PORTRAITS_PX = (64, 128, 640)
EVERY = {"yunet": 1, "haar": 4}
"""Haar is slow: of the empty frames it gets every fourth."""
FRAMES_A_PICTURE, ROOMS = 14, 1000
FACES_EVERY, HEADS_EVERY, FAR_EVERY = 32, 48, 96
"""Of PublicTest's faces: as portraits, to compare both detectors' boxes, and in each band."""
PHOTOS_A_BAND = 15
PHOTO, PHOTO_FACE = ASSETS / "astronaut.jpg", (90, 59, 109, 109)
"""x, y, w, h px of the crop in it."""
CROP_M, WIDE_ANGLE_DEG = 0.063 / 0.374, 60.0
"""A crop's side in the world: eyes are 63 mm apart in the mean (Dodgson 2004), .374 of the crop."""
Random = np.random.Generator


def detector(kind: Kind, min_face: int = MIN_FACES[0]) -> StreamDetector:
    return detector_from_config(DetectorConfig(kind=kind, min_face=min_face))


def found_at(boxes: Iterable[FaceBox], where: Box) -> FaceBox | None:
    """The one of the boxes that is the face that was put there."""
    same = (face for face in boxes if overlap(face.box, where) > SAME_FACE_IOU)
    return max(same, key=lambda face: overlap(face.box, where), default=None)


def pasted(part: Image, face: Box, side: float, random: Random) -> tuple[Image, Box]:
    """A frame in which the face of `part` has this side, somewhere, and its box."""
    scale = side / face[2]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(part, None, fx=scale, fy=scale, interpolation=how)[:HEIGHT, :WIDTH]
    height, width = scaled.shape[:2]
    left, top = (int(random.integers(0, n + 1)) for n in (WIDTH - width, HEIGHT - height))
    frame = backdrop(random)
    frame[top : top + height, left : left + width] = scaled.reshape(height, width, -1)
    return frame, (left + face[0] * scale, top + face[1] * scale, side, side)


def portraits(finder: StreamDetector, faces: Sequence[Image], side: int) -> float:
    """The share of FER2013's faces that are found where they fill a picture of this side."""
    whole = (0.0, 0.0, float(side), float(side))
    scaled = (cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC) for face in faces)
    coloured = (cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in scaled)
    return share(found_at(finder.detect_all(np.asarray(image)), whole) for image in coloured)


def share(found: Iterable[FaceBox | None]) -> float:
    return float(np.mean([face is not None for face in found]))


def sides(low: float, high: float, random: Random) -> Iterator[float]:
    """Evenly over the logarithm."""
    while True:
        yield float(np.exp(random.uniform(np.log(low), np.log(high))))


def far(
    finder: StreamDetector, faces: Sequence[Image], band: tuple[int, int]
) -> tuple[float, float]:
    """The shares found of faces with a side in the band: FER2013's crops; a portrait."""
    random = np.random.default_rng(1)
    crop = (0.0, 0.0, 48.0, 48.0)
    scenes = [pasted(f, crop, s, random) for f, s in zip(faces, sides(*band, random), strict=False)]
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    drawn = zip(range(PHOTOS_A_BAND), sides(*band, random), strict=False)
    shots = [pasted(photo, PHOTO_FACE, side, random) for _, side in drawn]
    shots = [(as_filmed(frame, random), where) for frame, where in shots]
    found = ([found_at(finder.detect_all(f), where) for f, where in few] for few in (scenes, shots))
    crops, portraits = map(share, found)
    return crops, portraits


def empty_frames(folder: Path) -> Iterator[tuple[str, Image]]:
    """("picture" or "room", frame)"""
    random = np.random.default_rng(2)
    for picture in pictures(folder):
        for frame in frames_of(picture, FRAMES_A_PICTURE, random):
            yield "picture", frame
    for _ in range(ROOMS):
        yield "room", room(random)


def false_boxes(folder: Path) -> list[list[str]]:
    """In 200 frames each, by min_face: of all boxes those that would be large enough."""
    seen: dict[tuple[str, str], list[float]] = {}
    frames: dict[tuple[str, str], int] = {}
    finders = {kind: detector(kind) for kind in KINDS}
    for number, (of, frame) in enumerate(tqdm(empty_frames(folder), "empty frames")):
        for kind, finder in finders.items():
            if number % EVERY[kind] == 0:
                frames[kind, of] = frames.get((kind, of), 0) + 1
                found = [face.box[2] for face in finder.detect_all(frame)]
                seen.setdefault((kind, of), []).extend(found)
    lines = []
    for px in MIN_FACES:
        counts = {key: sum(side >= px for side in found) for key, found in seen.items()}
        line = [f"{px}", f"{distance_m(px):.1f} m"]
        for kind in KINDS:
            of = [(counts[kind, name], frames[kind, name]) for name in ("picture", "room")]
            both = (sum(count for count, _ in of), sum(total for _, total in of))
            line += [f"{200 * count / total:.2f}" for count, total in (*of, both)]
        lines.append(line)
    return lines


def distance_m(px: float) -> float:
    """How far from a camera of 60 degrees and 640 px a grown-up's crop has this side."""
    focal_px = WIDTH / 2 / np.tan(np.radians(WIDE_ANGLE_DEG / 2))
    return float(focal_px * CROP_M / px)


def head_ratio(faces: Sequence[Image]) -> float:
    """Haar's box over YuNet's, of the same heads: the median."""
    random = np.random.default_rng(3)
    finders = [detector(kind) for kind in KINDS]
    ratios = []
    for face, side in zip(faces, sides(32, 240, random), strict=False):
        frame, where = pasted(face, (0.0, 0.0, 48.0, 48.0), side, random)
        one, other = (found_at(finder.detect_all(frame), where) for finder in finders)
        if one and other:
            ratios.append(other.box[2] / one.box[2])
    return float(np.median(ratios))


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


PAGE = """# Faces, near and far

Made by `python -m benchmarks.faces docs/reports/faces.md`, after `benchmarks/fetch_pictures.sh`.

## Near: portraits that fill the picture

FER2013 PublicTest, one face in {every} ({faces}), each as the whole of a square picture, as
`classify` looks at it.

{near}

## Far

Found by YuNet in single frames of 640x480, by the side of the face's box: {distant} of those faces
a band, cut out tightly, on soft patches; and a portrait with hair and shoulders, {photos} times a
band, under another light and with noise. `min_face` is {smallest} px here.

{far}

The box is the same head for both detectors: of {heads} heads of 32 to 240 px, those that both find
have {ratio:.3f} of YuNet's side with Haar (median).

## Where nobody is

Boxes in 200 frames of 640x480, by `face.detector.min_face`; the default is {default}. "Reaches" is
where a grown-up's head has this side, at a camera of 60 degrees. The frames are {pictures} parts of
{files} pictures, and {rooms} made rooms (benchmarks/empty_scenes.py), each under another light and
with noise; Haar got every {slow}th of them. The pictures are the photographs of Debian's
wallpapers, of opencv-doc and of scikit-image 0.16.2 without any face, of a person, an animal or a
drawing: landscapes, streets, things, textures, a garage (benchmarks/empty_pictures.txt).

The bar is 1, with YuNet in both kinds of frames. 16 and 20 px keep it, too; the default is larger
because Haar's scan takes the longer, the smaller the faces. Haar misses the bar at every size.

{empty}
"""


def page(data: Path, folder: Path) -> str:
    everything = face_data.load(data, face_data.PUBLIC).images
    faces, distant = list(everything[::FACES_EVERY]), list(everything[::FAR_EVERY])
    yunet = detector("yunet", DetectorConfig().min_face)
    near = [
        [f"{px} px", f"{portraits(yunet, faces, px):.1%}"] for px in tqdm(PORTRAITS_PX, "portraits")
    ]
    small = detector("yunet")
    bands = [
        [f"{low} to {high} px", *(f"{value:.0%}" for value in far(small, distant, (low, high)))]
        for low, high in tqdm(list(pairwise(BANDS)), "far")
    ]
    names = [f"{kind}, {of}" for kind in ("YuNet", "Haar") for of in ("pictures", "rooms", "both")]
    return PAGE.format(
        every=FACES_EVERY,
        faces=len(faces),
        near=table(["picture", "found by YuNet"], near),
        distant=len(distant),
        photos=PHOTOS_A_BAND,
        smallest=MIN_FACES[0],
        far=table(["side", "cut out", "portrait"], bands),
        heads=len(everything[::HEADS_EVERY]),
        ratio=head_ratio(list(everything[::HEADS_EVERY])),
        default=DetectorConfig().min_face,
        pictures=FRAMES_A_PICTURE * len(NAMES.read_text().splitlines()),
        files=len(NAMES.read_text().splitlines()),
        rooms=f"{ROOMS:,}",
        slow=EVERY["haar"],
        empty=table(["min_face", "reaches", *names], false_boxes(folder)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", help="FILE.md to write")
    parser.add_argument("--data", type=Path, default=Path("training/data/fer2013.npz"))
    parser.add_argument("--pictures", type=Path, default=Path("training/data/pictures"))
    options = parser.parse_args()
    text = page(options.data, options.pictures)
    print(text)
    if options.file:
        options.file.write_text(text)


if __name__ == "__main__":
    main()
