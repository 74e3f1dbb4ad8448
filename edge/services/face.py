"""Faces in the newest frame: found, cropped, classified, told apart, published."""

import time
from collections.abc import Sequence
from pathlib import Path

from edge.bus.frames import FrameSubscriber
from edge.bus.messages import MAX_FACES, TOPICS, FaceMessage, FaceResult
from edge.bus.pubsub import Publisher
from edge.config import Config, DetectorConfig, FaceConfig
from edge.devices.soc import Soc
from edge.inference.face_box import FaceBox
from edge.inference.face_detection import Detector, make_detector
from edge.inference.face_emotion import FaceEmotion
from edge.policy.decision import decide, rounded
from edge.policy.thermal import ThermalThrottle
from edge.policy.tracking import Detection, Tracked, Tracker
from edge.runtime.loop import Loop
from edge.services.health import PERIOD_S, Health
from edge.types import Box, Image

MAX_AGE_MS = 1e3 * (TOPICS["face"].max_age_s or 0)
NO_FRAMES_S = 2.0
"""After this long without a frame the service says so."""


def intersects(box: Box, image: Image) -> bool:
    """Whether any pixel of the picture is in the box; a crop may reach beyond the border."""
    (x, y, w, h), (height, width) = box, image.shape[:2]
    across = max(round(x), 0) < min(round(x + w), width)
    return across and max(round(y), 0) < min(round(y + h), height)


def size(face: FaceBox) -> float:
    """The side of its box, px."""
    return face.box[2]


class FaceAnalyzer:
    """From boxes in a picture to faces with emotions: for a stream of frames, or for one file."""

    def __init__(self, settings: FaceConfig, threads: int) -> None:
        """Loads the network. Raises ModelError."""
        self._settings = settings
        self._classifier = FaceEmotion(Path(settings.model), threads, settings.raters_share)
        self.forget()

    def forget(self) -> None:
        """What comes next has nothing to do with what came before."""
        self._tracker = Tracker(self._settings.window_s, self._settings.hold_s)

    def read(self, image: Image, found: Sequence[FaceBox], now_s: float) -> list[FaceResult]:
        """`image`: (height, width, 3) uint8 BGR, taken at `now_s`; `found`: the boxes in it."""
        inside = [face for face in found if intersects(face.box, image)]
        boxes = [face.box for face in sorted(inside, key=size, reverse=True)[:MAX_FACES]]
        scores = self._classifier.classify(image, boxes)
        detections = [Detection(box, score) for box, score in zip(boxes, scores, strict=True)]
        known = self._tracker.update(now_s, detections)[:MAX_FACES]
        return [self._result(face) for face in known]

    def _result(self, face: Tracked) -> FaceResult:
        scores = rounded(dict(zip(self._classifier.labels, face.scores.tolist(), strict=True)))
        emotion, confidence = decide(scores, self._settings.threshold)
        x, y, w, h = (round(float(value), 1) for value in face.box)
        return FaceResult(
            id=face.id,
            box=(x, y, w, h),
            emotion=emotion,
            confidence=confidence,
            scores=scores,
            held=face.held,
        )


class FaceService:
    """From a frame to a `face` message."""

    def __init__(
        self,
        frames: FrameSubscriber,
        publisher: Publisher,
        detector: Detector,
        reader: FaceAnalyzer,
        health: Health,
        soc: Soc,
    ) -> None:
        self._frames = frames
        self._publisher = publisher
        self._detector = detector
        self._reader = reader
        self._health = health
        self._soc = soc
        self._cooling = ThermalThrottle(soc.limit_c)
        self._last_s = time.monotonic()
        self._due_ns = 0
        self._passed_over = 0

    def on_frame(self) -> None:
        """Take the newest frame; older ones are gone and counted as dropped."""
        frame = self._frames.receive()
        if frame is None:
            return
        # An old one waited while this process stood still.
        if frame.age_ms() > MAX_AGE_MS or not self._is_due(frame.t_ns):
            self._passed_over += 1
            return
        started_s = self._last_s = time.monotonic()
        found = self._detector.detect(frame.image)
        faces = self._reader.read(frame.image, found, frame.t_ns / 1e9)
        self._publisher.publish(
            "face",
            FaceMessage(
                t_ns=frame.t_ns,
                time=frame.time,
                frame_seq=frame.seq,
                frame_size=frame.size,
                faces=faces,
                inference_ms=round((time.monotonic() - started_s) * 1e3, 2),
            ),
        )
        self._health.clear_problem("camera")
        self._health.count()
        self._health.ready()
        self._health.dropped = self._frames.missed + self._frames.bad + self._passed_over

    def _is_due(self, t_ns: int) -> bool:
        """Whether a frame of this time is taken, by the rate that the heat allows."""
        rate_hz = self._cooling.rate_hz
        if rate_hz is None:
            return True
        if t_ns < self._due_ns:
            return False
        period_ns = round(1e9 / rate_hz)
        late_ns = t_ns - self._due_ns
        self._due_ns = t_ns + period_ns - (late_ns if late_ns < period_ns else 0)
        return True

    def check_heat(self) -> None:
        """Slow down before the board does, and say so."""
        celsius, throttled = self._soc.read()
        self._health.soc_c, self._health.throttled = celsius, throttled
        self._cooling.update(time.monotonic(), celsius, throttled)
        words = self._cooling.words(throttled)
        if words:
            self._health.set_problem("heat", words)
        else:
            self._health.clear_problem("heat")

    def check_frames(self) -> None:
        """Say when no frames come; the camera's own health says why."""
        if time.monotonic() - self._last_s > NO_FRAMES_S:
            self._health.set_problem("camera", "no frames from the camera")
            self._health.feed_watchdog()
            self._health.ready()


def detector_of(settings: DetectorConfig) -> Detector:
    """The detector that the settings ask for. Raises ModelError."""
    return make_detector(settings.kind, settings.model, settings.cascade, settings.min_face)


def run(config: Config, loop: Loop) -> None:
    serve(config, loop, Soc())


def serve(config: Config, loop: Loop, soc: Soc) -> None:
    """Put the service together and let it work until the loop stops. Raises ModelError."""
    reader = FaceAnalyzer(config.face, config.threads)
    detector = detector_of(config.face.detector)
    publisher = Publisher(config.endpoint("in"), config.device_name)
    frames = FrameSubscriber(config.endpoint("frames"))
    health = Health(publisher, "face", loop)
    health.about = detector.about
    service = FaceService(frames, publisher, detector, reader, health, soc)
    loop.add_reader(frames.socket, service.on_frame)
    loop.call_every(PERIOD_S, service.check_frames)
    loop.call_every(PERIOD_S, service.check_heat)
    try:
        loop.run()
    finally:
        frames.close()
        publisher.close()
