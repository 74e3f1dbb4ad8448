"""Whether the camera stands upright: by the turn of its picture in which faces are surest.

Detectors find a face that is head down, too (YuNet most of them), so that nobody notices but for
emotions that are wrong. The right turn gives the higher score: in all of 20 frames of a film and in
95 % of 145 faces of FER2013, hence several looks.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing

from edge.bus.frames import FrameSubscriber
from edge.config import CameraConfig, Config
from edge.devices.camera import open_camera
from edge.devices.camera.rotated import TURNS, rotated
from edge.errors import ConfigError, UserError
from edge.inference.card import ModelError
from edge.inference.face_box import score_of
from edge.inference.stream_detector import StreamDetector
from edge.paths import check_directory
from edge.pipeline.face import detector_from_config
from edge.types import Image

LOOKS, GAP_S = 3, 0.3
LISTEN_S = 2.0
"""A camera process that runs gives a frame within this."""


def picture_problem(config: Config) -> tuple[str, str] | None:
    """What is wrong with the camera's picture, and the fix; None where nothing is."""
    try:
        turn = turn_of(detector_from_config(config.face.detector), look(config))
    except (ModelError, ConfigError):
        return None  # reported by check_detector, check_services
    except (UserError, OSError) as error:
        return str(error), ""
    if not turn:
        return None
    how = "head down" if turn == 180 else "on its side"
    fix = f"set camera.rotate = {(config.camera.rotate + turn) % 360}"
    return f"the camera is {how}, by the faces that it sees", fix


def turn_of(detector: StreamDetector, images: Sequence[Image]) -> int | None:
    """Degrees clockwise by which images of a camera have to be turned; None without any face."""
    turns = [turn for image in images if (turn := _surest_turn(detector, image)) is not None]
    return Counter(turns).most_common(1)[0][0] if turns else None


def _surest_turn(detector: StreamDetector, image: Image) -> int | None:
    faces = {turn: detector.detect_all(rotated(image, turn)) for turn in (0, *TURNS)}
    scores = {turn: max(map(score_of, found)) for turn, found in faces.items() if found}
    return max(scores, key=lambda turn: scores[turn], default=None)


def look(config: Config) -> list[Image]:
    """Some frames: of the camera process if it runs, else of the camera.

    Raises CameraError, SourceError, and ConfigError for a folder that others can write to.
    """
    images = list(_received(config)) if check_directory(config.directory) else []
    return images or list(_read(config.camera))


def _received(config: Config) -> Iterator[Image]:
    with closing(FrameSubscriber(config.endpoint("frames"))) as frames:
        for _ in range(LOOKS):
            if not frames.socket.poll(int(LISTEN_S * 1e3)):
                return
            if frame := frames.receive():
                yield frame.image
            time.sleep(GAP_S)


def _read(camera: CameraConfig) -> Iterator[Image]:
    source = open_camera(camera.source, camera.width, camera.height, camera.rate_hz, camera.rotate)
    with closing(source):
        for number in range(int((LOOKS - 1) * GAP_S * source.rate_hz) + 1):
            image = source.read()
            if number % max(1, int(GAP_S * source.rate_hz)) == 0:
                yield image
