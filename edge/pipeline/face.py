"""An image in, its faces with emotions out: detected, classified, tracked, decided."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.bus.messages import MAX_FACES, FaceResult
from edge.config import DetectorConfig, FaceConfig
from edge.inference.appearance import appearance, scene_appearance
from edge.inference.face_box import FaceBox
from edge.inference.face_emotion import FaceEmotion, crop_grey
from edge.inference.stream_detector import StreamDetector, make_detector
from edge.policy.decision import SteadyLabel, rounded, valence_arousal
from edge.policy.tracking import Detection, Tracked, Tracker
from edge.types import Box, Image


class FaceAnalyzer:
    """Finds faces and names their emotions, in a stream of frames or in single images."""

    def __init__(
        self, detector: StreamDetector, classifier: FaceEmotion, config: FaceConfig
    ) -> None:
        self.detector = detector
        self._classifier = classifier
        self._config = config
        self._tracker = self._new_tracker()
        self._labels: dict[int, SteadyLabel] = {}

    @classmethod
    def from_config(
        cls, config: FaceConfig, threads: int, clock: Callable[[], float] = time.monotonic
    ) -> "FaceAnalyzer":
        """With the detector and the network of the settings. Raises ModelError.

        `clock`: seconds; of a film those of its frames, so that it is the same on any machine.
        """
        classifier = FaceEmotion(Path(config.model), threads, config.raters_share)
        return cls(detector_from_config(config.detector, clock), classifier, config)

    def analyze(self, frame: Image, now_s: float) -> list[FaceResult]:
        """The faces in the next frame of a stream: (height, width, 3) uint8 BGR, of `now_s`."""
        return self._track(frame, self.detector.detect(frame), now_s)

    def analyze_image(self, image: Image) -> list[FaceResult]:
        """The faces in an image that has nothing to do with others: (h, w, 3) uint8 BGR."""
        self._tracker, self._labels = self._new_tracker(), {}
        return self._track(image, self.detector.detect_all(image), 0.0)

    def _new_tracker(self) -> Tracker:
        return Tracker(self._config.window_s, self._config.hold_s)

    def _track(self, image: Image, found: Sequence[FaceBox], now_s: float) -> list[FaceResult]:
        inside = [face.box for face in found if intersects(face.box, image)]
        boxes = sorted(inside, key=side_px, reverse=True)[:MAX_FACES]
        scores = self._classifier.classify(image, boxes)
        looks = [appearance(crop_grey(image, box)) for box in boxes]
        detections = list(map(Detection, boxes, scores, looks))
        faces = self._tracker.update(now_s, detections, scene_appearance(image))[:MAX_FACES]
        self._labels = {
            face.id: self._labels.get(face.id) or SteadyLabel(self._config.threshold)
            for face in faces
        }
        return list(map(self._result, faces))

    def _result(self, face: Tracked) -> FaceResult:
        scores = rounded(dict(zip(self._classifier.labels, face.scores.tolist(), strict=True)))
        emotion, confidence = self._labels[face.id].update(face.seen_s, scores)
        valence, arousal = valence_arousal(scores)
        x, y, w, h = (round(float(value), 1) for value in face.box)
        return FaceResult(
            id=face.id,
            box=(x, y, w, h),
            emotion=emotion,
            confidence=confidence,
            scores=scores,
            valence=valence,
            arousal=arousal,
            held=face.held,
        )


def detector_from_config(
    config: DetectorConfig, clock: Callable[[], float] = time.monotonic
) -> StreamDetector:
    """The detector that the settings ask for. Raises ModelError."""
    return make_detector(config.kind, config.model, config.cascade, config.min_face, clock)


def intersects(box: Box, image: Image) -> bool:
    """Whether any pixel of the image is in the box; a crop may reach beyond the border."""
    (x, y, w, h), (height, width) = box, image.shape[:2]
    across = max(round(x), 0) < min(round(x + w), width)
    return bool(across and max(round(y), 0) < min(round(y + h), height))


def side_px(box: Box) -> float:
    """The side of a square box."""
    return box[2]
