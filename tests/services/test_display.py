"""The display process: which frame is drawn when, keys, and screens that come and go."""

import os
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.bus.frames import Frame, FramePublisher
from edge.bus.messages import FaceMessage, FaceResult, Press
from edge.config import CameraConfig, DisplayConfig
from edge.devices.screen import Screen, ScreenError, check_screen, framebuffer
from edge.devices.screen.framebuffer import Geometry
from edge.devices.screen.screens import fit_desktop
from edge.errors import UserError
from edge.overlay import natural_size
from edge.overlay.bars import COLOURS
from edge.overlay.drawing import BACKGROUND
from edge.overlay.layout import lay_out
from edge.overlay.stage import letterboxed
from edge.services import display
from tests.support.desktop import desktop, missing_programs
from tests.support.harness import (
    PATIENCE_S,
    emotion_edge,
    listening,
    publishing,
    running,
    write_config,
)

S = 1_000_000_000
FOREVER_NS = 3600 * S


class Gallery(Screen):
    """A screen that keeps its images, and whose keys a test presses."""

    def __init__(self, size=(640, 586)):
        super().__init__("gallery")
        self.shown = deque(maxlen=200)
        self.keys = deque()
        self.failures = 0
        self.closed = 0
        self._size = size

    @property
    def size(self):
        return self._size

    def show(self, image):
        if self.failures:
            self.failures -= 1
            raise ScreenError("the gallery is closed")
        self.shown.append(image)

    def poll(self):
        return self.keys.popleft() if self.keys else None

    def close(self):
        self.closed += 1


def showing(config, screen):
    """A display on this screen, running."""
    return running(lambda config, loop: display.serve(config, loop, lambda: screen), config)


@pytest.fixture
def camera(config):
    """Publishes frames where the camera does."""
    publisher = FramePublisher(config.endpoint("frames"))
    yield publisher
    publisher.close()


def frame(seq, grey=90, t_ns=None, height=480):
    pixels = np.full((height, 640, 3), grey, np.uint8)
    return Frame(seq, time.monotonic_ns() if t_ns is None else t_ns, time.time(), pixels)


def face_of(of):
    found = FaceResult(
        id=1,
        box=(200.0, 150.0, 120.0, 140.0),
        emotion="happy",
        confidence=0.9,
        scores={"happy": 0.9},
    )
    return FaceMessage(
        t_ns=min(of.t_ns, time.monotonic_ns()),
        time=of.time,
        frame_seq=of.seq,
        frame_size=of.size,
        faces=[found],
        inference_ms=5.0,
    )


def until(condition, again=lambda: None):
    """Do something again and again until the condition holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        again()
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came about")


def has_received(listener, wanted):
    """Whether a message that is wanted has come by now."""
    listener.received += listener.subscriber.receive()
    return any(wanted(message) for _, message in listener.received)


def has_box(image):
    return bool(np.all(image == COLOURS["happy"], axis=2).any())


def grey_of(image):
    """The grey of the frame that this image shows."""
    place = letterboxed((640, 480), lay_out(image.shape[1::-1], 4 / 3, 1, 0).stage)
    return int(image[place.y + place.h // 2, place.x + 5, 0])


def test_a_frame_is_shown_when_its_own_faces_come(with_hub, camera):
    """The frame is from the future: it never gets so old that it would be shown without."""
    screen = Gallery()
    early = frame(7, t_ns=time.monotonic_ns() + FOREVER_NS)
    with showing(with_hub, screen), publishing(with_hub) as publisher:

        def again():
            camera.publish(early)
            publisher.publish("face", face_of(early))

        until(lambda: any(has_box(image) for image in tuple(screen.shown)), again)


def test_in_a_mirror_picture_and_boxes_are_the_other_way_round(with_hub, camera):
    """The frame is bright at its left; the face's box is left of its middle."""
    screen = Gallery()
    early = frame(7, t_ns=time.monotonic_ns() + FOREVER_NS)
    early.image[:, :100] = 250
    config = msgspec.structs.replace(with_hub, camera=CameraConfig(mirror=True))
    with showing(config, screen), publishing(config) as publisher:

        def again():
            camera.publish(early)
            publisher.publish("face", face_of(early))

        until(lambda: any(has_box(image) for image in tuple(screen.shown)), again)
    image = next(image for image in screen.shown if has_box(image))
    stage = lay_out(screen.size, 4 / 3, 1, 0).stage
    place = letterboxed((640, 480), stage)
    shown = cv2.resize(place.of(image), (640, 480))
    assert shown[5, 10, 0] < 100 < shown[5, 630, 0]
    yellow = (np.abs(shown[190:260].astype(int) - COLOURS["happy"]).max(axis=2) < 90).all(axis=0)
    assert yellow[433:447].any()
    assert not yellow[193:207].any()


def test_a_frame_does_not_take_another_frames_faces_before_its_time(with_hub, camera):
    screen = Gallery()
    other = frame(6)
    early = frame(7, t_ns=time.monotonic_ns() + FOREVER_NS)
    with showing(with_hub, screen), publishing(with_hub) as publisher:
        until(lambda: len(screen.shown) >= 1, lambda: camera.publish(early))
        publisher.publish("face", face_of(other))
        count = len(screen.shown)
        until(lambda: len(screen.shown) > count, lambda: camera.publish(early))
        assert not any(grey_of(image) == 90 for image in screen.shown)


def test_a_frame_without_faces_of_its_own_is_shown_when_it_is_40_ms_old(with_hub, camera):
    screen = Gallery()
    with showing(with_hub, screen):
        until(
            lambda: any(grey_of(image) == 123 for image in screen.shown),
            lambda: camera.publish(frame(1, grey=123)),
        )


def test_an_image_that_stands_still_is_dimmed(with_hub, camera):
    screen = Gallery()
    with showing(with_hub, screen):
        until(
            lambda: any(grey_of(image) == 200 for image in screen.shown),
            lambda: camera.publish(frame(1, grey=200)),
        )
        until(lambda: 0 < grey_of(screen.shown[-1]) < 80)


def test_before_the_first_frame_the_screen_says_what_is_waited_for(with_hub):
    screen = Gallery()
    with showing(with_hub, screen):
        until(lambda: len(screen.shown) >= 2)
        assert screen.shown[-1].max() > 200


def test_the_key_a_is_a_press(with_hub):
    screen = Gallery()
    with listening(with_hub.endpoint("out"), "press") as listener, showing(with_hub, screen):
        until(lambda: len(screen.shown) >= 2)
        screen.keys.append("x")
        screen.keys.append("a")
        press = listener.topic("press")
        assert isinstance(press, Press) and press.trigger == "key"


def test_the_key_q_ends_the_process_and_gives_the_screen_back(with_hub):
    screen = Gallery()
    with showing(with_hub, screen):
        until(lambda: screen.shown)
        screen.keys.append("q")
        until(lambda: screen.closed)


def test_a_screen_that_fails_is_said_to_and_tried_again(with_hub):
    screen = Gallery()
    screen.failures = 1
    with listening(with_hub.endpoint("out"), "health.display") as listener:
        with showing(with_hub, screen):
            listener.until(
                lambda _, health: (
                    health.state == "degraded" and "gallery is closed" in health.detail
                )
            )
            listener.until(lambda _, health: health.state == "ok")
        assert screen.shown


def test_frames_that_wait_when_the_screen_fails_harm_nothing(with_hub, camera):
    screen = Gallery()
    with showing(with_hub, screen):
        until(lambda: screen.shown, lambda: camera.publish(frame(1)))
        screen.failures = 2
        until(lambda: not screen.failures, lambda: camera.publish(frame(2)))
        count = len(screen.shown)
        until(lambda: len(screen.shown) > count + 3, lambda: camera.publish(frame(3)))


def test_having_no_screen_is_no_error(with_hub, camera):
    nowhere = Screen("no screen (none was found)")
    with (
        listening(with_hub.endpoint("out"), "health.display") as listener,
        showing(with_hub, nowhere),
    ):
        health = listener.topic("health.display")
        assert (health.state, health.detail) == ("ok", "no screen (none was found)")
        camera.publish(frame(1))
        assert listener.topic("health.display").rate_hz == 0


def test_health_tells_the_screen_and_how_old_its_frames_are(with_hub, camera):
    def tells(health):
        return health.detail.startswith("gallery 640x586, frame age ") and health.rate_hz > 0

    with (
        listening(with_hub.endpoint("out"), "health.display") as listener,
        showing(with_hub, Gallery()),
    ):
        until(lambda: has_received(listener, tells), lambda: camera.publish(frame(1)))


def test_the_service_writes_a_png_that_suits_the_image(with_hub, camera, tmp_path):
    path = tmp_path / "screen.png"
    width, height = natural_size((640, 360))
    config = msgspec.structs.replace(with_hub, display=DisplayConfig(screen=str(path)))
    with (
        listening(config.endpoint("out"), "health.display") as listener,
        running(display.run, config),
    ):
        until(path.exists)
        until(
            lambda: has_received(
                listener, lambda health: f"{path} {width}x{height}, frame age" in health.detail
            ),
            lambda: camera.publish(frame(1, height=360)),
        )
    assert cv2.imread(str(path)).shape == (height, width, 3)


@pytest.mark.parametrize("bits", [16, 32])
def test_a_framebuffer_that_comes_later_is_drawn_on_and_its_console_given_back(
    with_hub, tmp_path, monkeypatch, bits
):
    geometry = Geometry(640, 480, 640 * bits // 8, bits)
    terminal, end = os.openpty()
    monkeypatch.setattr(framebuffer, "read_geometry", lambda _: geometry)
    monkeypatch.setattr(framebuffer, "ACTIVE_CONSOLE", Path(os.ttyname(end)))
    monkeypatch.setattr(display, "RETRY_S", 0.05)
    device = tmp_path / "fb0"
    settings = DisplayConfig(screen="framebuffer", framebuffer=str(device))
    config = msgspec.structs.replace(with_hub, display=settings)
    with listening(config.endpoint("out"), "health.display") as listener:
        with running(display.run, config):
            said = listener.until(lambda _, health: health.state == "degraded")
            assert said.detail == f"there is no {device}"
            device.write_bytes(bytes(geometry.stride * geometry.height))
            listener.until(lambda _, health: "framebuffer 640x480" in health.detail)
            until(lambda: any(device.read_bytes()))
        said = [os.read(terminal, len(framebuffer.HIDE_CURSOR)) for _ in range(2)]
        assert said == [framebuffer.HIDE_CURSOR, framebuffer.SHOW_CURSOR]
    os.close(terminal)
    os.close(end)


def test_a_screen_that_does_not_exist_is_refused(config):
    config = msgspec.structs.replace(config, display=DisplayConfig(screen="television"))
    with (
        pytest.raises(UserError, match="no such screen: television"),
        running(display.run, config),
    ):
        pass


def test_a_folder_is_refused_as_an_image_file(tmp_path):
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(UserError, match=r"folder\.png: a folder"):
        check_screen(str(folder))


needs_a_desktop = pytest.mark.skipif(
    bool(missing_programs()), reason=f"apt install xvfb xdotool: {missing_programs()}"
)
needs_a_window_manager = pytest.mark.skipif(
    bool(missing_programs("openbox")), reason=f"apt install {missing_programs('openbox').lower()}"
)


WINDOW = "window {}x{}".format(*fit_desktop(natural_size((640, 480)), (1280, 1024)))


@contextmanager
def window(config, path, there, **settings):
    """The display's process with a window, and what it publishes; ends cleanly by `q`."""
    display = DisplayConfig(screen="window", **settings)
    file = write_config(msgspec.structs.replace(config, display=display), path / "config.json")
    with listening(config.endpoint("out"), "press", "health.display") as listener:
        process = emotion_edge("display", "--config", file, env=there.environment)
        try:
            listener.until(lambda topic, _: topic == "health.display")
            yield process, listener
            there.press("q")
            _, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors and "qt" not in errors.lower()


@needs_a_desktop
def test_in_a_window_a_records_and_q_quits(with_hub, camera, tmp_path):
    with desktop(1280, 1024) as there, window(with_hub, tmp_path, there) as (process, listener):
        camera.publish(frame(1))
        listener.until(lambda topic, m: topic != "press" and WINDOW in m.detail)
        for key in ("Shift_L", "F4", "Left", "b", "a"):
            there.press(key)
        assert listener.topic("press").trigger == "key"
        assert process.poll() is None
        assert [topic for topic, _ in listener.received].count("press") == 1


@needs_a_window_manager
def test_a_full_screen_is_filled_at_once_even_at_4k(with_hub, camera, tmp_path):
    """No image of any other size is ever shown."""
    with (
        desktop(3840, 2160, "openbox") as there,
        window(with_hub, tmp_path, there, fullscreen=True) as (_, listener),
    ):
        corners = [2, -3, -3], [-3, 2, -3]
        until(
            lambda: has_received(listener, lambda m: "frame age" in getattr(m, "detail", "")),
            lambda: camera.publish(frame(1)),
        )
        until(lambda: (there.pixels()[corners] == BACKGROUND).all())
        sizes = {m.detail[:16] for topic, m in listener.received if topic != "press"}
        assert sizes <= {"window", "window 1920x1080"}


@needs_a_window_manager
def test_f_and_f11_fill_the_screen_and_escape_leaves_it(with_hub, camera, tmp_path):
    with (
        desktop(1280, 1024, "openbox") as there,
        window(with_hub, tmp_path, there) as (_, listener),
    ):

        def until_detail(part):
            until(
                lambda: has_received(listener, lambda m: part in getattr(m, "detail", "")),
                lambda: camera.publish(frame(1)),
            )
            listener.received.clear()

        until_detail(WINDOW)
        for key, leave in (("f", "Escape"), ("F11", "f")):
            there.press(key)
            until_detail("window 1280x1024")
            there.press(leave)
            until_detail(WINDOW)
