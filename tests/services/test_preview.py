import cv2
import msgspec
import numpy as np

from edge.bus.messages import Preview
from edge.config import Config
from edge.services import camera
from tests.support.harness import listening, running


def on_the_demo(config: Config, preview_hz: float) -> Config:
    settings = msgspec.structs.replace(config.camera, source="demo", preview_hz=preview_hz)
    return msgspec.structs.replace(config, camera=settings)


def test_no_image_leaves_unless_it_is_asked_for(with_gateway: Config) -> None:
    assert Config().camera.preview_hz == 0
    with (
        running(camera.run, on_the_demo(with_gateway, 0.0)),
        listening(with_gateway.gateway.local, "preview", "health.camera") as other,
    ):
        for _ in range(3):
            other.topic("health.camera")
    assert {topic for topic, _ in other.received} == {"health.camera"}


def test_a_preview_is_a_small_jpeg_now_and_then(with_gateway: Config) -> None:
    with (
        running(camera.run, on_the_demo(with_gateway, 4.0)),
        listening(with_gateway.gateway.local, "preview") as other,
    ):
        shown = [other.topic("preview") for _ in range(4)]
    assert all(isinstance(one, Preview) for one in shown)
    gaps_s = np.diff([one.t_ns for one in shown]) / 1e9
    assert gaps_s.min() >= 0.25
    image = cv2.imdecode(np.frombuffer(shown[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 320, 3)
    assert shown[-1].size == (320, 240)
    assert len(shown[-1].jpeg) < 30_000
