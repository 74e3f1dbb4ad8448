"""Faces: the crops that the network was trained on, from both detectors."""

from collections import deque
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.devices.camera.demo import DemoCamera
from edge.inference import stream_detector
from edge.inference.card import ModelError
from edge.inference.face_box import FaceBox, overlap
from edge.inference.haar import Cascade, Haar
from edge.inference.stream_detector import StreamDetector, make_detector
from edge.inference.yunet import YUNET_NAME, YUNET_PATH, YuNet
from edge.types import Image
from tests.support.harness import DATA, ROOT

WEIGHTS = next(
    (p for p in (YUNET_PATH, ROOT.parent / "shared/models" / YUNET_NAME) if p.exists()), None
)
needs_yunet = pytest.mark.skipif(
    WEIGHTS is None, reason=f"no {YUNET_NAME} (deploy/fetch-detector.sh)"
)
MIN_FACE = 48
DETECTORS = [
    pytest.param("yunet", marks=needs_yunet),
    "alt2",
    "default",
]
# Read off the enlarged portrait by hand, px: the pupils, and between the corners of the mouth.
RIGHT_EYE, LEFT_EYE, MOUTH = (122.5, 101.0), (165.5, 103.5), (145.5, 139.5)
CLIP = DATA / "clips" / "expressions_silent.mp4"


def detector(name: str, min_face: int = MIN_FACE) -> StreamDetector:
    if name == "yunet":
        return make_detector("yunet", str(WEIGHTS), "alt2", min_face)
    return StreamDetector(Haar(name, min_face))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photo() -> Image:
    """The portrait: 300x280 px, one face of 100 px."""
    return np.asarray(cv2.imread(str(ROOT / "edge/assets/astronaut.jpg")), np.uint8)


@pytest.fixture(scope="module")
def group(photo: Image) -> Image:
    """Four faces of three sizes, 640x480."""
    image = np.full((480, 640, 3), 190, np.uint8)
    for x, y, scale in ((0, 0, 1.0), (320, 0, 0.8), (20, 290, 0.65), (300, 230, 0.85)):
        part = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image[y : y + part.shape[0], x : x + part.shape[1]] = part[: 480 - y, : 640 - x]
    return image


@pytest.mark.parametrize("name", DETECTORS)
def test_eyes_and_mouth_lie_in_the_crop_as_in_fer2013(name: str, photo: Image) -> None:
    (face,) = detector(name).detect_all(photo)
    x, y, side, height = face.box
    eyes = np.add(RIGHT_EYE, LEFT_EYE) / 2
    assert side == height
    assert np.subtract(LEFT_EYE, RIGHT_EYE)[0] / side == pytest.approx(0.374, abs=0.09)
    assert (eyes[0] - x) / side == pytest.approx(0.5, abs=0.05)
    assert (eyes[1] - y) / side == pytest.approx(0.380, abs=0.05)
    assert (MOUTH[1] - y) / side == pytest.approx(0.759, abs=0.05)


@needs_yunet
@pytest.mark.parametrize("cascade", ["alt2", "default"])
def test_both_detectors_give_nearly_the_same_crop(cascade: Cascade, photo: Image) -> None:
    (one,) = detector("yunet").detect_all(photo)
    (other,) = detector(cascade).detect_all(photo)
    assert overlap(one.box, other.box) > 0.7


@pytest.mark.parametrize("name", DETECTORS[:2])
def test_every_face_is_found_once(name: str, group: Image) -> None:
    faces = detector(name).detect_all(group)
    assert len(faces) == 4
    assert all(0 < face.score <= 1 for face in faces)
    sides = [face.box[2] for face in faces]
    assert max(sides) / min(sides) == pytest.approx(1 / 0.65, rel=0.15)


@pytest.mark.parametrize("name", DETECTORS[:2])
def test_smaller_faces_than_asked_for_are_skipped(name: str, group: Image) -> None:
    if name == "yunet":
        faces = make_detector("yunet", str(WEIGHTS), "alt2", 80).detect_all(group)
    else:
        faces = make_detector("haar", "", name, 80).detect_all(group)  # type: ignore[arg-type]
    assert 0 < len(faces) < 4
    assert all(face.box[2] >= 80 for face in faces)


def with_face(photo: Image, side: float) -> Image:
    """640x480 with one face whose box has about this side, px."""
    scale = side / 109
    part = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = np.full((480, 640, 3), 190, np.uint8)
    image[100 : 100 + part.shape[0], 200 : 200 + part.shape[1]] = part
    return image


@pytest.mark.parametrize("name", DETECTORS[:2])
def test_the_least_head_is_the_same_for_both_detectors(name: str, photo: Image) -> None:
    (face,) = detector(name, 48).detect_all(with_face(photo, 50))
    assert face.box[2] == pytest.approx(50, rel=0.05)
    assert detector(name, 56).detect_all(with_face(photo, 50)) == []


@needs_yunet
def test_a_portrait_that_fills_a_small_picture_is_found(photo: Image) -> None:
    portrait = cv2.resize(photo[59:168, 90:199], (160, 160))
    blurred = np.asarray(cv2.GaussianBlur(portrait, (0, 0), 4), np.uint8)
    (face,) = detector("yunet").detect_all(blurred)
    assert overlap(face.box, (0, 0, 160, 160)) > 0.7


@needs_yunet
def test_a_stripe_holds_no_face_whatever_lay_in_memory_before() -> None:
    random = np.random.default_rng(0)
    left_behind: deque[np.ndarray] = deque(maxlen=5)
    for _ in range(100):
        yunet = detector("yunet")
        left_behind.append(random.random(random.integers(10, 400_000)).astype(np.float32))
        assert yunet.detect_all(np.full((20, 2000, 3), 128, np.uint8)) == []


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (20, 2000, 3), (2000, 20, 3)])
def test_image_without_a_face_gives_an_empty_list(name: str, shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 128, np.uint8)
    assert detector(name).detect_all(flat) == []
    assert detector(name).detect(flat) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_size_of_the_frames_may_change_midway(name: str, photo: Image) -> None:
    finder = detector(name)
    (small,) = finder.detect(photo)
    (large,) = finder.detect(cv2.resize(photo, None, fx=2, fy=2))
    (again,) = finder.detect(photo)
    assert large.box[2] == pytest.approx(2 * small.box[2], rel=0.1)
    assert overlap(again.box, small.box) > 0.9


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_haar_finds_a_new_face_within_four_tenths_of_a_second(group: Image, photo: Image) -> None:
    clock = Clock()
    haar = StreamDetector(Haar("alt2", MIN_FACE), clock)
    alone = np.full_like(group, 190)
    alone[:280, :300] = photo
    assert len(haar.detect(alone)) == 1
    clock.now_s += 0.01
    started_s = clock.now_s
    while len(haar.detect(group)) < 4:
        clock.now_s += 1 / 30
    assert 0 < clock.now_s - started_s <= 0.4


def test_haar_follows_a_face_between_full_scans() -> None:
    clock = Clock()
    haar = StreamDetector(Haar("alt2", MIN_FACE), clock)
    demo = DemoCamera(640, 480, 30.0)
    found = 0
    for number in range(45):
        faces = haar.detect(demo.frame_at(number / 30))
        if faces:
            (whole,) = haar.detect_all(demo.frame_at(number / 30)) or faces
            assert overlap(faces[0].box, whole.box) > 0.6
            found += 1
        clock.now_s += 1 / 30
    assert found > 42


def test_haar_does_not_report_a_face_that_is_gone(photo: Image) -> None:
    clock = Clock()
    haar = StreamDetector(Haar("alt2", MIN_FACE), clock)
    assert len(haar.detect(photo)) == 1
    clock.now_s += 0.01
    assert haar.detect(np.full_like(photo, 128)) == []


def test_haar_scans_the_whole_frame_only_now_and_then(group: Image, photo: Image) -> None:
    clock = Clock()
    haar = StreamDetector(Haar("alt2", MIN_FACE), clock)
    alone = np.full_like(group, 190)
    alone[:280, :300] = photo
    haar.detect(alone)
    clock.now_s += 0.15
    assert len(haar.detect(group)) == 1


@pytest.fixture
def small(photo: Image) -> Image:
    """One face of 15 px in 640x480: too small for a quick scan."""
    image = np.full((480, 640, 3), 190, np.uint8)
    part = cv2.resize(photo, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    image[100 : 100 + part.shape[0], 200 : 200 + part.shape[1]] = part
    return image


def yunet(clock: Clock, min_face: int = MIN_FACE) -> StreamDetector:
    assert WEIGHTS is not None
    return StreamDetector(YuNet(WEIGHTS, min_face), clock)


@needs_yunet
def test_yunet_finds_a_new_face_at_once_where_there_was_none(photo: Image) -> None:
    clock = Clock()
    finder = yunet(clock)
    assert finder.detect(np.full_like(photo, 190)) == []
    clock.now_s += 0.01
    assert len(finder.detect(photo)) == 1


@needs_yunet
def test_yunet_finds_a_second_person_within_a_fifth_of_a_second(group: Image, photo: Image) -> None:
    clock = Clock()
    finder = yunet(clock)
    alone = np.full_like(group, 190)
    alone[:280, :300] = photo
    assert len(finder.detect(alone)) == 1
    clock.now_s += 0.1
    assert len(finder.detect(group)) == 1
    clock.now_s += 0.11
    assert len(finder.detect(group)) == 4
    clock.now_s += 0.01
    assert len(finder.detect(group)) == 4, "four are too many to follow one by one"


@needs_yunet
def test_yunet_does_not_report_a_face_that_is_gone(photo: Image) -> None:
    clock = Clock()
    finder = yunet(clock)
    assert len(finder.detect(photo)) == 1
    clock.now_s += 0.01
    assert finder.detect(np.full_like(photo, 128)) == []


@needs_yunet
def test_a_face_too_small_for_quick_scans_is_followed_all_the_same(small: Image) -> None:
    clock = Clock()
    finder = yunet(clock, min_face=8)
    assert finder.detect(np.full_like(small, 190)) == []
    clock.now_s += 0.01
    assert finder.detect(small) == [], "a quick scan"
    clock.now_s += 1
    assert len(finder.detect(small)) == 1
    for _ in range(10):
        clock.now_s += 0.03
        small = np.roll(small, 4, axis=1)
        assert len(finder.detect(small)) == 1


@needs_yunet
def test_a_slow_processor_makes_fewer_full_scans(photo: Image) -> None:
    clock = Clock()
    full: list[float] = []

    class Slow(YuNet):
        def find(self, image: Image) -> list[FaceBox]:
            full.append(clock.now_s)
            clock.now_s += 0.5
            return super().find(image)

    assert WEIGHTS is not None
    finder = StreamDetector(Slow(WEIGHTS, MIN_FACE), clock)
    while clock.now_s < 112:
        finder.detect(photo)
        clock.now_s += 0.1
    assert np.diff(full).min() >= 5


def test_overlap_of_boxes() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (5, 5, 2, 2)) == 0


@needs_yunet
def test_other_weights_than_ours_are_refused_by_name(tmp_path: Path) -> None:
    assert WEIGHTS is not None
    foreign = tmp_path / YUNET_NAME
    foreign.write_bytes(WEIGHTS.read_bytes()[:-1])
    for kind in ("auto", "yunet"):
        with pytest.raises(ModelError, match="sha256 differs") as caught:
            make_detector(kind, str(foreign), "alt2", MIN_FACE)  # type: ignore[arg-type]
        assert str(foreign) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_weights_that_were_asked_for_and_are_missing_are_an_error(tmp_path: Path) -> None:
    for kind in ("auto", "yunet"):
        with pytest.raises(ModelError, match=r"none\.onnx: No such file.*fetch-detector"):
            make_detector(kind, str(tmp_path / "none.onnx"), "alt2", MIN_FACE)  # type: ignore[arg-type]


def test_without_weights_it_is_haar_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_detector, "YUNET_PATH", tmp_path / YUNET_NAME)
    finder = make_detector("auto", "", "alt2", MIN_FACE)
    assert finder.about.startswith("Haar alt2 (YuNet's weights are missing")


@needs_yunet
def test_with_weights_it_is_yunet() -> None:
    finder = make_detector("auto", str(WEIGHTS), "alt2", MIN_FACE)
    assert finder.about == "YuNet at 320 px, every 1 s at 640"


def test_haar_is_haar_although_the_weights_are_there() -> None:
    assert make_detector("haar", str(WEIGHTS), "default", MIN_FACE).about == "Haar default"


@pytest.mark.data
@pytest.mark.parametrize("name", DETECTORS)
def test_face_of_a_film_is_followed(name: str) -> None:
    film = cv2.VideoCapture(str(CLIP))
    finder = detector(name)
    images = [np.asarray(film.read()[1], np.uint8) for _ in range(100)]
    assert sum(len(finder.detect(image)) == 1 for image in images) > 90
