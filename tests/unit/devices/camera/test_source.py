"""Sources of images: their names, what comes out, and what is said when nothing does."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.devices.camera import open_camera
from edge.devices.camera.source import (
    Camera,
    CameraError,
    SourceError,
    check_device,
    check_source,
    find_camera,
)
from tests.support.harness import ROOT

IMAGES = 10
FILM_HZ = 25.0
NOBODY = 65534
needs_gstreamer = pytest.mark.skipif(
    shutil.which("gst-launch-1.0") is None, reason="no gst-launch-1.0 (gstreamer1.0-tools)"
)


def opened(source: str | Path, width: int = 640, height: int = 480) -> "closing[Camera]":
    return closing(open_camera(str(source), width, height, 30.0))


def make_image(brightness: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), brightness, np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten images, each brighter than the last."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FILM_HZ, (64, 48))
    for number in range(IMAGES):
        writer.write(make_image(20 * number))
    writer.release()
    return path


def test_film_plays_at_its_own_rate_and_from_the_start_again(film: Path) -> None:
    with opened(film) as camera:
        started_s = time.monotonic()
        numbers = [round(camera.read().mean() / 20) for _ in range(2 * IMAGES)]
        took_s = time.monotonic() - started_s
    assert took_s > (2 * IMAGES - 1) / FILM_HZ * 0.95
    assert numbers == [*range(IMAGES), *range(IMAGES)]
    assert camera.rate_hz == FILM_HZ


def test_film_does_not_make_up_for_a_pause(film: Path) -> None:
    with opened(film) as camera:
        camera.read()
        time.sleep(10 / FILM_HZ)
        camera.read()
        started_s = time.monotonic()
        for _ in range(5):
            camera.read()
        assert time.monotonic() - started_s > 4.5 / FILM_HZ


def test_image_is_repeated_at_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), make_image(77))
    with opened(tmp_path / "still.png") as camera:
        started_s = time.monotonic()
        images = [camera.read() for _ in range(7)]
        assert time.monotonic() - started_s >= 6 / 30.0
    assert all((image == 77).all() and image.shape == (48, 64, 3) for image in images)


@pytest.mark.parametrize(
    ("size", "fitted"),
    [((1280, 720), (640, 360)), ((600, 960), (300, 480)), ((64, 48), (64, 48))],
)
def test_large_images_are_scaled_down_and_keep_their_aspect(
    tmp_path: Path, size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), make_image(9, *size))
    with opened(tmp_path / "still.png") as camera:
        assert camera.read().shape == (fitted[1], fitted[0], 3)


def test_grey_and_transparent_images_come_out_as_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 5, np.uint8))
    cv2.imwrite(str(tmp_path / "clear.png"), np.full((8, 8, 4), 5, np.uint8))
    for name in ("grey.png", "clear.png"):
        with opened(tmp_path / name) as camera:
            assert camera.read().shape == (8, 8, 3)


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("not an image\n" * 20)


def make_film_without_images(path: Path) -> None:
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FILM_HZ, (64, 48)).release()


def make_damaged_image(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


@pytest.mark.parametrize(
    "make", [make_empty, make_text, make_film_without_images, make_damaged_image, Path.mkdir]
)
def test_what_cannot_be_shown_is_refused_by_name(tmp_path: Path, make: partial[None]) -> None:
    path = tmp_path / "thing.avi"
    make(path)
    with pytest.raises(SourceError, match=re.escape(str(path))) as caught:
        open_camera(str(path), 640, 480, 30.0)
    assert "\n" not in str(caught.value)


def test_a_file_with_an_exclamation_mark_in_its_name_is_no_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "look! here.png"
    cv2.imwrite(str(path), make_image(77))
    check_source(str(path))
    with opened(path) as camera:
        assert (camera.read() == 77).all()


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(cv2.imencode(".png", make_image(5))[1].tobytes())
    with pytest.raises(SourceError, match="not UTF-8; rename it"):
        open_camera(str(path), 640, 480, 30.0)


@pytest.mark.parametrize(
    "source", ["", "no/such/film.mp4", "x" * 5000, "nul\0byte", "gopher://host/x", "rtsp://", "-1"]
)
def test_nonsense_is_refused_without_opening_it(source: str) -> None:
    with pytest.raises(SourceError, match="camera source"):
        check_source(source)


@pytest.mark.parametrize("source", ["auto", "demo", "0", "/dev/video7", "rtsp://10.0.0.2/live"])
def test_what_may_be_there_later_passes_the_check(source: str) -> None:
    check_source(source)


def test_missing_device_is_named() -> None:
    with pytest.raises(CameraError, match="no camera at /dev/video63"):
        open_camera("63", 640, 480, 30.0)


@pytest.fixture
def closed_device(directory: Path) -> Iterator[Path]:
    """A device that we may not open, without root's powers."""
    directory.chmod(0o755)
    path = directory / "video0"
    path.touch(mode=0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield path
    os.seteuid(user)


def test_device_without_permission_names_the_group_to_join(closed_device: Path) -> None:
    with pytest.raises(CameraError, match=r"group \S+: sudo usermod -aG \S+ \S+, then log in"):
        check_device(closed_device)


def test_closed_device_is_found_so_that_its_error_is_seen(closed_device: Path) -> None:
    assert find_camera(closed_device.parent, closed_device.parent) == str(closed_device)


def test_nodes_that_are_no_cameras_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"a file")
    (tmp_path / "video10").symlink_to("/dev/null")
    assert find_camera(tmp_path, tmp_path) is None


def test_pi_camera_counts_where_a_sensor_is_attached_and_picamera2_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v4l-subdev0").mkdir()
    (tmp_path / "v4l-subdev0" / "name").write_text("imx708 10-001a\n")
    assert find_camera(tmp_path, tmp_path) is None
    (tmp_path / "picamera2.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_camera(tmp_path, tmp_path) == "picamera"


def test_picamera_without_picamera2_names_the_package() -> None:
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        check_source("picamera")


PICAMERA2 = """
from concurrent.futures import Future
import numpy as np

class Picamera2:  # the calls that the manual describes, with a sensor that dies after one image
    def __init__(self):
        self.images = 1
    def create_video_configuration(self, main, controls, queue):
        assert main["format"] == "RGB888" and controls["FrameRate"] == 30.0 and not queue
        return main
    def configure(self, main):
        self.size = main["size"]
    def start(self):
        pass
    def close(self):
        pass
    def capture_array(self, name, wait):
        assert name == "main" and wait is False
        self.images -= 1
        job = Future()
        job.get_result = job.result
        if self.images >= 0:
            job.set_result(np.zeros((self.size[1], self.size[0], 3), np.uint8))
        return job
"""


def test_pi_camera_that_gives_no_more_images_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picamera2.py").write_text(PICAMERA2)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with opened("picamera") as camera:
        assert camera.read().shape == (480, 640, 3)
        with pytest.raises(CameraError, match="lost the Raspberry Pi camera"):
            camera.read()


def test_a_picamera_that_does_not_start_is_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = PICAMERA2.replace("        pass", "        raise RuntimeError('busy')", 1)
    (tmp_path / "picamera2.py").write_text(busy)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(CameraError, match="does not start: busy"), opened("picamera"):
        pass


def test_looking_for_a_camera_needs_neither_opencv_nor_numpy() -> None:
    code = (
        "import sys; from edge.devices.camera.source import check_source, find_camera; "
        "find_camera(); check_source('demo'); sys.exit(bool({'cv2', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@needs_gstreamer
@pytest.mark.parametrize("size", [(640, 480), (333, 77)])
def test_pipeline_gives_images_of_the_size_that_is_asked_for(size: tuple[int, int]) -> None:
    source = "videotestsrc pattern=blue ! video/x-raw,width=640,height=480"
    with opened(source, *size) as camera:
        for _ in range(3):
            image = camera.read()
            middle = image[image.shape[0] // 2, image.shape[1] // 2].astype(int)
            assert image.shape == (size[1], size[0], 3)
            assert abs(middle - (255, 0, 0)).max() < 10


@needs_gstreamer
def test_pipeline_keeps_time_and_leaves_no_backlog_after_a_pause() -> None:
    source = "videotestsrc pattern=snow ! video/x-raw,framerate=20/1"
    with opened(source) as camera:
        camera.read()
        time.sleep(12 / 20)  # more images than are read then
        started_s = time.monotonic()
        for _ in range(8):
            camera.read()
        assert time.monotonic() - started_s > 4 / 20


@needs_gstreamer
def test_pipeline_that_ends_is_a_lost_camera() -> None:
    with (
        opened("videotestsrc num-buffers=2 ! identity") as camera,
        pytest.raises(CameraError, match="it ended"),
    ):
        while True:
            camera.read()


@needs_gstreamer
def test_pipeline_with_an_unknown_element_is_refused() -> None:
    with (
        opened("nosuchelement ! identity") as camera,
        pytest.raises(SourceError, match='no element "nosuchelement"'),
    ):
        camera.read()


@needs_gstreamer
def test_pipeline_whose_source_is_missing_says_so() -> None:
    with (
        opened("filesrc location=/no/such/file ! decodebin") as camera,
        pytest.raises(CameraError, match="not found"),
    ):
        camera.read()


def test_pipeline_without_gstreamer_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match=r"apt install gstreamer1\.0-tools"):
        check_source("videotestsrc ! identity")


class Live(BaseHTTPRequestHandler):
    """A network camera: MJPEG that goes silent after `images`."""

    images = 40
    over = threading.Event()
    closed = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in range(self.images):
            data = cv2.imencode(".jpg", make_image(5 * number))[1].tobytes()
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
        self.over.wait(60)
        self.closed.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler] | partial[Quiet]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Live.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_stream_that_goes_silent_is_a_lost_camera() -> None:
    with serving(Live) as url, opened(f"{url}/live.mjpg") as camera:
        with pytest.raises(CameraError, match="lost the stream"):
            while True:
                assert camera.read().shape == (48, 64, 3)
        assert not Live.closed.is_set(), "it was not the other end that closed the connection"


def test_film_from_the_network_plays_at_its_own_rate(film: Path) -> None:
    with (
        serving(partial(Quiet, directory=film.parent)) as url,
        opened(f"{url}/{film.name}") as camera,
    ):
        started_s = time.monotonic()
        for _ in range(2 * IMAGES):
            camera.read()
        assert time.monotonic() - started_s > (2 * IMAGES - 1) / FILM_HZ * 0.95


def test_address_where_nobody_answers_is_a_lost_camera() -> None:
    with pytest.raises(CameraError, match="no frames from http"):
        open_camera("http://127.0.0.1:9/live", 640, 480, 30.0)
