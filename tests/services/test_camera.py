"""The camera's process and its service: frames with their age, losses noticed and repaired."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.bus.frames import Frame, FrameSubscriber
from edge.bus.messages import HealthMessage, Message, Preview
from edge.config import Config
from edge.devices.camera.demo import DemoCamera
from edge.devices.camera.reader import Reader
from edge.devices.camera.rotated import rotated
from edge.devices.camera.source import CameraError
from edge.runtime.loop import Loop
from edge.services import camera
from tests.support.harness import PATIENCE_S, emotion_edge, listening, running, write_config

Image = np.ndarray


def with_source(config: Config, source: str | Path, rate_hz: float = 30.0) -> Config:
    changed = msgspec.structs.replace(config.camera, source=str(source), rate_hz=rate_hz)
    return msgspec.structs.replace(config, camera=changed)


class Watcher:
    """A reader of frames."""

    def __init__(self, config: Config) -> None:
        self.subscriber = FrameSubscriber(config.endpoint("frames"))

    def next(self, wanted: Callable[[Frame], bool] = lambda _: True) -> Frame:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            if self.subscriber.socket.poll(100):
                frame = self.subscriber.receive()
                if frame is not None and wanted(frame):
                    return frame
        pytest.fail("no such frame came")


@pytest.fixture
def watcher(config: Config) -> Iterator[Watcher]:
    watcher = Watcher(config)
    yield watcher
    watcher.subscriber.close()


def is_health(state: str) -> Callable[[str, Message], bool]:
    return lambda _, message: isinstance(message, HealthMessage) and message.state == state


class ScriptedCamera:
    """A camera that does what the test says: an image a call, an error, or nothing at all."""

    about = "scripted"
    rate_hz = 100.0

    def __init__(self, *script: "Image | Exception | threading.Event") -> None:
        self._script = list(script)
        self.closed = threading.Event()

    def read(self) -> Image:
        step = self._script[0] if len(self._script) == 1 else self._script.pop(0)
        if isinstance(step, threading.Event):
            step.wait(PATIENCE_S)
            raise CameraError("released")
        if isinstance(step, Exception):
            raise step
        self.closed.wait(0.01)
        return step

    def close(self) -> None:
        self.closed.set()


GRAY = np.full((48, 64, 3), 128, np.uint8)
WIDE = np.full((36, 64, 3), 200, np.uint8)


def opener(*cameras: "ScriptedCamera | Exception") -> Callable[[], ScriptedCamera]:
    """Opens one camera after the other, the last one for ever."""
    steps = list(cameras)

    def open_source() -> ScriptedCamera:
        step = steps[0] if len(steps) == 1 else steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return open_source


@contextmanager
def serving(config: Config, *cameras: "ScriptedCamera | Exception") -> Iterator[None]:
    """The service on a thread, with these cameras."""
    with running(lambda config, loop: camera.serve(config, loop, opener(*cameras)), config):
        yield


@pytest.mark.parametrize(("degrees", "size"), [(90, (480, 640)), (180, (640, 480))])
def test_a_camera_that_hangs_the_wrong_way_is_turned_for_everybody(
    with_hub: Config, degrees: int, size: tuple[int, int]
) -> None:
    """Frames and previews; of the grey beside her the demo shows the same from all sides."""
    settings = msgspec.structs.replace(
        with_hub.camera, source="demo", rotate=degrees, mirror=True, preview_hz=5.0
    )
    config = msgspec.structs.replace(with_hub, camera=settings)
    demo = DemoCamera(640, 480, 30.0)
    with (
        running(camera.run, config),
        closing(FrameSubscriber(config.endpoint("frames"))) as frames,
        listening(config.endpoint("out"), "preview") as listener,
    ):
        assert frames.socket.poll(int(PATIENCE_S * 1e3))
        frame = frames.receive()
        preview = listener.topic("preview")
    assert frame is not None
    assert frame.size == size
    assert isinstance(preview, Preview)
    assert preview.size == (320, round(320 * size[1] / size[0]))
    upright = rotated(frame.image, 360 - degrees)
    likest = min(range(45), key=lambda n: difference(upright, demo.frame_at(n / 30)))
    assert difference(upright, demo.frame_at(likest / 30)) < 8
    assert difference(upright, demo.frame_at(likest / 30)[:, ::-1]) > 8, "mirrored"


def difference(image: Image, other: Image) -> float:
    return float(cv2.absdiff(image, np.ascontiguousarray(other)).mean())


def test_frames_carry_number_and_moment_of_capture(config: Config, watcher: Watcher) -> None:
    started_ns, started_s = time.monotonic_ns(), time.time()
    with running(camera.run, with_source(config, "demo")):
        before = watcher.next()
        after = watcher.next()
    assert after.image.shape == (480, 640, 3)
    assert after.seq > before.seq
    assert started_ns < before.t_ns < after.t_ns < time.monotonic_ns()
    assert after.time - started_s == pytest.approx((after.t_ns - started_ns) / 1e9, abs=0.5)


def test_health_tells_what_is_read_and_how_fast(with_hub: Config) -> None:
    with (
        listening(with_hub.endpoint("out"), "health.camera") as listener,
        running(camera.run, with_source(with_hub, "demo")),
    ):
        health = listener.until(lambda _, m: isinstance(m, HealthMessage) and m.rate_hz > 20)
        assert isinstance(health, HealthMessage)
        assert health.state == "ok"
        assert health.detail == "demo 640x480 at 30 Hz"


def test_lost_camera_is_degraded_and_opened_again(with_hub: Config, watcher: Watcher) -> None:
    first = ScriptedCamera(GRAY, GRAY, CameraError("the plug was pulled"))
    with (
        listening(with_hub.endpoint("out"), "health.camera") as listener,
        serving(with_hub, first, CameraError("still out"), ScriptedCamera(WIDE)),
    ):
        health = listener.until(is_health("degraded"))
        assert isinstance(health, HealthMessage)
        assert health.detail in ("the plug was pulled", "still out")
        assert watcher.next(lambda frame: frame.size == (64, 36)).seq >= 2
        listener.until(is_health("ok"))
    assert first.closed.is_set()


def test_camera_that_hangs_is_noticed_and_read_again_when_it_answers(with_hub: Config) -> None:
    release = threading.Event()
    hanging = ScriptedCamera(GRAY, GRAY, release)
    with (
        listening(with_hub.endpoint("out"), "health.camera") as listener,
        serving(with_hub, hanging, ScriptedCamera(GRAY)),
    ):
        listener.until(is_health("ok"))
        health = listener.until(is_health("degraded"))
        assert isinstance(health, HealthMessage)
        assert health.detail == "no frame for 1.5 s"
        release.set()
        listener.until(is_health("ok"))


def test_frame_size_may_change_midway(config: Config, watcher: Watcher) -> None:
    changing = ScriptedCamera(*[GRAY] * 50, WIDE)
    with serving(config, changing):
        assert watcher.next().size == (64, 48)
        assert watcher.next(lambda frame: frame.size != (64, 48)).size == (64, 36)


def test_a_film_that_is_deleted_while_it_plays_is_lost_until_it_is_back(
    with_hub: Config, directory: Path
) -> None:
    film, aside = directory / "film.avi", directory / "aside.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        writer.write(GRAY)
    writer.release()
    with (
        listening(with_hub.endpoint("out"), "health.camera") as listener,
        running(camera.run, with_source(with_hub, film)),
    ):
        listener.until(is_health("ok"))
        film.rename(aside)
        health = listener.until(is_health("degraded"))
        assert isinstance(health, HealthMessage)
        assert str(film) in health.detail
        aside.rename(film)
        listener.until(is_health("ok"))


def test_what_nobody_expected_ends_the_process(config: Config) -> None:
    loop = Loop()
    loop.call_later(PATIENCE_S, loop.stop)
    with pytest.raises(ZeroDivisionError):
        camera.serve(config, loop, opener(ScriptedCamera(GRAY, ZeroDivisionError())))
    loop.close()


def test_no_camera_is_degraded_and_not_the_end(with_hub: Config) -> None:
    with (
        listening(with_hub.endpoint("out"), "health.camera") as listener,
        running(camera.run, with_source(with_hub, "/dev/video63")),
    ):
        health = listener.until(is_health("degraded"))
        assert isinstance(health, HealthMessage)
        assert health.detail == "no camera at /dev/video63: is it plugged in?"


def test_opencv_prints_nothing_about_a_missing_camera_and_uses_one_thread() -> None:
    """Looked for every few seconds, it would fill the journal."""
    code = (
        "from edge.runtime.process import configure_libraries; configure_libraries(); import cv2;"
        "cv2.VideoCapture('/dev/null', cv2.CAP_V4L2); assert cv2.getNumThreads() == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_file_that_is_missing_is_one_line_and_exit_code_78(
    config: Config, directory: Path
) -> None:
    settings = write_config(with_source(config, "no/such.mp4"), directory / "config.json")
    process = emotion_edge("camera", "--config", settings)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 78
    assert said.count("\n") == 1
    assert "camera.source: 'no/such.mp4': No such file" in said


def test_a_video_file_without_frames_is_one_line_and_exit_code_78(
    config: Config, directory: Path
) -> None:
    film = directory / "empty.avi"
    cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48)).release()
    settings = write_config(with_source(config, film), directory / "config.json")
    process = emotion_edge("camera", "--config", settings)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 78
    assert said.count("\n") == 1
    assert str(film) in said


def test_after_a_stop_there_is_neither_burst_nor_backlog(
    config: Config, directory: Path, watcher: Watcher
) -> None:
    settings = write_config(with_source(config, "demo"), directory / "config.json")
    process = emotion_edge("camera", "--config", settings)
    try:
        watcher.next()
        os.kill(process.pid, signal.SIGSTOP)
        while watcher.subscriber.socket.poll(500):
            watcher.subscriber.receive()
        continued_ns = time.monotonic_ns()
        os.kill(process.pid, signal.SIGCONT)
        _, *others, last = (watcher.next() for _ in range(22))
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert all(frame.t_ns > continued_ns for frame in others), "but for what was on its way"
    assert (last.seq - others[0].seq) * 1e9 / (last.t_ns - others[0].t_ns) < 40


def test_slow_loop_gets_the_newest_frame_and_counts_the_others() -> None:
    loop = Loop()
    taken: list[int] = []
    enough = threading.Event()
    images = iter(np.full((2, 2, 3), number, np.uint8) for number in range(9))

    class Burst(ScriptedCamera):
        def read(self) -> Image:
            image = next(images, None)
            if image is None:
                enough.set()
                raise CameraError("the end")
            return image

    def on_capture() -> None:
        capture = reader.take()
        assert capture is not None
        taken.append(int(capture.image[0, 0, 0]))

    reader = Reader(
        Burst, loop.call_soon_threadsafe, lambda _: None, on_capture, lambda _: loop.stop()
    )
    reader.start()
    assert enough.wait(PATIENCE_S)
    loop.run()
    loop.close()
    assert taken == [8]
    assert reader.dropped == 8
