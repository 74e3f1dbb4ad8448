import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.bus.messages import FACE_LABELS, FaceMessage, HealthMessage
from edge.config import Config, DetectorConfig
from edge.devices.soc import Soc
from edge.errors import UserError
from edge.pipeline.face import FaceAnalyzer, intersects
from edge.policy import thermal
from edge.policy.decision import valence_arousal
from edge.services import face
from tests.support.camera import Camera, make_image
from tests.support.harness import PATIENCE_S, Listener, listening, running
from tests.support.sysfs import add_zone


@pytest.fixture
def haar(with_hub: Config) -> Config:
    """The settings with the detector that every machine has."""
    detector = DetectorConfig(kind="haar")
    return msgspec.structs.replace(
        with_hub, face=msgspec.structs.replace(with_hub.face, detector=detector)
    )


@pytest.fixture
def camera(haar: Config) -> Iterator[Camera]:
    camera = Camera(haar)
    yield camera
    camera.publisher.close()


@pytest.fixture
def listener(haar: Config) -> Iterator[Listener]:
    with listening(haar.endpoint("out"), "face", "health.face") as listener:
        yield listener


def seen(camera: Camera, listener: Listener, image: np.ndarray, count: int) -> FaceMessage:
    """Show the image until a message about it reports `count` faces."""
    deadline_s, first = time.monotonic() + PATIENCE_S, camera.seq
    while time.monotonic() < deadline_s:
        camera.show(image)
        listener.subscriber.socket.poll(200)
        for _, message in listener.subscriber.receive():
            is_of_it = isinstance(message, FaceMessage) and message.frame_seq >= first
            if is_of_it and len(message.faces) == count:
                return message
    pytest.fail(f"never saw {count} faces")


def test_a_face_in_the_image_is_published_with_all_its_scores(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    with running(face.run, haar):
        message = seen(camera, listener, make_image(), 1)
    (result,) = message.faces
    assert set(result.scores) == set(FACE_LABELS)
    assert sum(result.scores.values()) == pytest.approx(1, abs=1e-3)
    assert result.confidence == max(result.scores.values())
    assert (result.valence, result.arousal) == valence_arousal(result.scores)
    assert message.frame_size == (640, 480)
    assert message.age_ms > 0


def test_no_face_is_an_empty_list_not_silence(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    with running(face.run, haar):
        message = seen(camera, listener, np.full((480, 640, 3), 90, np.uint8), 0)
    assert message.faces == []


def test_every_face_is_found_and_has_its_own_id(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    both = np.hstack([make_image(480), make_image(480)])
    with running(face.run, haar):
        message = seen(camera, listener, both, 2)
    left, right = sorted(message.faces, key=lambda result: result.box[0])
    assert left.id != right.id
    assert right.box[0] - left.box[0] == pytest.approx(480, abs=20)


def test_a_face_that_is_gone_for_a_moment_is_held(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    patient = msgspec.structs.replace(haar.face, hold_s=PATIENCE_S)
    with running(face.run, msgspec.structs.replace(haar, face=patient)):
        said = [seen(camera, listener, make_image(), 1)]
        while not said[-1].faces[0].held:
            camera.show(np.full((480, 640, 3), 90, np.uint8))  # a busy service misses some
            listener.subscriber.socket.poll(200)
            received = [message for _, message in listener.subscriber.receive()]
            said += [message for message in received if isinstance(message, FaceMessage)]
    before = [message.faces[0] for message in said if not message.faces[0].held][-1]
    held = next(message.faces[0] for message in said if message.faces[0].held)
    assert held.id == before.id
    assert held.box == pytest.approx(before.box, abs=2.0)  # the last one before may be missed


def test_an_image_whose_size_changes_midway_is_no_trouble(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    with running(face.run, haar):
        seen(camera, listener, make_image(640, 480), 1)
        message = seen(camera, listener, make_image(320, 240), 1)
    assert message.frame_size == (320, 240)


def test_garbage_among_the_frames_is_counted_and_hurts_nobody(
    haar: Config, camera: Camera, listener: Listener
) -> None:
    with running(face.run, haar):
        seen(camera, listener, make_image(), 1)
        deadline_s = time.monotonic() + 15
        dropped = 0
        while not dropped and time.monotonic() < deadline_s:
            camera.publisher.socket.send(b"garbage")
            time.sleep(0.05)  # or the next frame takes its place
            camera.show(make_image())
            listener.subscriber.socket.poll(200)
            received = [message for _, message in listener.subscriber.receive()]
            dropped = max((m.dropped for m in received if isinstance(m, HealthMessage)), default=0)
        seen(camera, listener, make_image(), 1)
    assert dropped


def test_no_frames_is_said(haar: Config, listener: Listener) -> None:
    with running(face.run, haar):
        health = listener.until(lambda _, m: isinstance(m, HealthMessage) and m.state == "degraded")
    assert isinstance(health, HealthMessage)
    assert "no frames" in health.detail


def test_a_corrupt_model_is_refused_in_one_line(haar: Config, directory: Path) -> None:
    broken = directory / "broken.tflite"
    broken.write_bytes(b"TFL3" * 100)
    config = msgspec.structs.replace(
        haar, face=msgspec.structs.replace(haar.face, model=str(broken))
    )
    with pytest.raises(UserError, match=r"broken\.tflite") as caught, running(face.run, config):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("box", "there"),
    [
        ((10, 10, 20, 20), True),
        ((-15, -15, 20, 20), True),
        ((-20, 0, 20, 20), False),
        ((0, 480, 20, 20), False),
        ((640, 0, 20, 20), False),
        ((10, 10, 0.2, 0.2), False),
    ],
)
def test_a_crop_must_hold_something_of_the_image(
    box: tuple[float, float, float, float], there: bool
) -> None:
    assert intersects(box, make_image()) is there


def test_a_hot_board_gets_fewer_faces_says_so_and_comes_back(
    haar: Config,
    camera: Camera,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thermal, "CALM_S", 0.0)
    add_zone(tmp_path, 0, "cpu-thermal", 79.0)

    def says(**wanted: object) -> HealthMessage:
        """Show images, 30 a second, until health says so."""
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            camera.show(blank)
            listener.subscriber.socket.poll(33)
            for _, message in listener.subscriber.receive():
                if isinstance(message, HealthMessage) and all(
                    getattr(message, name) == value for name, value in wanted.items()
                ):
                    return message
        pytest.fail(f"never {wanted}")

    blank = np.full((120, 160, 3), 90, np.uint8)
    analyzer = FaceAnalyzer.from_config(haar.face, 1)
    with running(partial(face.serve, analyzer=analyzer, soc=Soc(tmp_path)), haar):
        hot = says(state="degraded", soc_c=79.0, throttled=None)
        assert hot.detail == "the board is hot: faces at most 3 times a second"
        assert says(state="degraded").rate_hz < 4
        add_zone(tmp_path, 0, "cpu-thermal", 50.0)
        says(state="ok", soc_c=50.0)
