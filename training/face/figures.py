"""Every figure of a face model's card, measured through the device's own code."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.config import DetectorConfig
from edge.inference.face_box import SAME_FACE_IOU, overlap
from edge.inference.face_emotion import FaceEmotion, crop_grey, mixed, raters_share_of
from edge.inference.stream_detector import Kind
from edge.pipeline.face import detector_from_config
from training.common import metrics
from training.common.calibration import Logits, cost
from training.common.cards import FLOAT
from training.common.tflite_file import FloatModel
from training.face import data as face_data
from training.face import scenes as face_scenes
from training.face import share as face_share


class FaceFigures:
    """FER2013, every image as it is."""

    def __init__(self, model: Path, data: Path) -> None:
        self.path, self.network, self.data = model, FaceEmotion(model), data
        self.card = self.network.card

    @property
    def share(self) -> float:
        """The raters' share where the settings leave it open."""
        return raters_share_of(self.card, None, self.path)

    def logits(self, faces: face_data.FaceSet) -> Logits:
        return np.stack([self.network.logits(image) for image in tqdm(faces.images)])

    def calibrate(self) -> None:
        self.public = face_data.load(self.data, face_data.PUBLIC)
        self.public_logits = self.logits(self.public)
        self.card = face_share.fitted(self.card, self.public_logits, self.public)

    def answers(self, logits: Logits) -> NDArray[np.int64]:
        """The device's answers (n,) to logits (n, outputs) at the default share."""
        return np.asarray(mixed(self.card, logits, self.share).argmax(-1))

    def figures_of(self, faces: face_data.FaceSet, logits: Logits) -> dict[str, Any]:
        """Against the labels, without the leaked images, and against the raters' majority."""
        scores = face_share.scores_of(self.card, logits, self.share)
        right = scores.argmax(1) == faces.labels
        return {
            **metrics.figures(scores, faces.labels, self.card.labels),
            "accuracy_without_leaked": round(float(right[~faces.leaked].mean()), 4),
            "leaked": int(faces.leaked.sum()),
            **face_share.raters_figures(scores, faces.votes),
            **face_share.dimension_figures(scores, faces.votes),
        }

    def by_share(self, name: str, faces: face_data.FaceSet, logits: Logits) -> dict[str, Any]:
        """Each head alone, where there are two."""
        if self.card.raters is None:
            return {}
        return {
            f"{name}, share {share}": face_share.both_truths(self.card, logits, faces, share)
            for share in (0, 1)
        }

    def in_float(self, faces: face_data.FaceSet) -> dict[str, Any]:
        """The accuracy before int8."""
        network, (height, width, _) = FloatModel(FLOAT / self.path.name), self.card.input.shape
        pixels = faces.images.reshape(-1, height, width, 1).astype(np.float32)
        inputs = tqdm(self.card.normalise(pixels), "before int8")
        logits = np.stack([network(x) for x in inputs])
        return face_share.both_truths(self.card, logits, faces, self.share)

    def in_scenes(self, faces: face_data.FaceSet, kind: Kind, every: int) -> dict[str, Any]:
        """Through detector and crop, one seeded scene for every `every`th face.

        Both accuracies are of the faces that were found: from the scene, and as given.
        """
        detector = detector_from_config(DetectorConfig(kind=kind))
        random = np.random.default_rng(1)
        found, given, cropped, others = [], [], [], 0
        pairs = list(zip(faces.images, faces.labels, strict=True))[::every]
        for image, label in tqdm(pairs, f"scenes, {kind}"):
            scene = face_scenes.scene(image, random)
            boxes = [face.box for face in detector.detect_all(scene.image)]
            box = max(boxes, key=lambda box: overlap(box, scene.box), default=None)
            found.append(box is not None and overlap(box, scene.box) > SAME_FACE_IOU)
            others += len(boxes) - found[-1]
            if box is not None and found[-1]:
                both = (image, crop_grey(scene.image, box))
                right = self.answers(np.stack([self.network.logits(x) for x in both])) == label
                given.append(right[0])
                cropped.append(right[1])
        return {
            "samples": len(found),
            "found": round(float(np.mean(found)), 4),
            "accuracy": round(float(np.mean(cropped)), 4),
            "accuracy_given_crop": round(float(np.mean(given)), 4),
            "other_boxes": int(others),
        }

    def validation(self) -> dict[str, Any]:
        return {
            "cost": cost(self.path),
            "PublicTest": self.figures_of(self.public, self.public_logits),
            **self.by_share("PublicTest", self.public, self.public_logits),
            "PublicTest before int8": self.in_float(self.public),
            "PublicTest in scenes, YuNet": self.in_scenes(self.public, "yunet", every=4),
        }

    def test(self) -> dict[str, Any]:
        """PrivateTest; and the desktop script's way of counting, training images and all."""
        private = face_data.load(self.data, face_data.PRIVATE)
        private_logits = self.logits(private)
        seen = face_data.load(self.data, face_data.TRAINING)
        parts = [
            (self.logits(seen), seen),
            (self.public_logits, self.public),
            (private_logits, private),
        ]
        right = np.concatenate([self.answers(logits) == faces.labels for logits, faces in parts])
        return {
            "PrivateTest": self.figures_of(private, private_logits),
            **self.by_share("PrivateTest", private, private_logits),
            "PrivateTest before int8": self.in_float(private),
            "PrivateTest in scenes, YuNet": self.in_scenes(private, "yunet", every=1),
            "PrivateTest in scenes, Haar": self.in_scenes(private, "haar", every=5),
            "all splits together, training images included (says little)": {
                "samples": len(right),
                "accuracy": round(float(right.mean()), 4),
            },
        }
