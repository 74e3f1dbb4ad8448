"""Every figure of a face model's card, measured through the device's own code."""

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge.config import DetectorConfig
from edge.inference.face_box import SAME_FACE_IOU, overlap
from edge.inference.face_emotion import FaceEmotion
from edge.inference.stream_detector import Kind
from edge.pipeline.face import detector_from_config
from training.common import metrics
from training.common.calibration import Logits, calibrated, cost, measured
from training.common.cards import FLOAT
from training.common.tflite_file import FloatModel
from training.face import data as face_data
from training.face import scenes as face_scenes


class FaceFigures:
    """FER2013, every image as it is."""

    def __init__(self, model: Path, data: Path) -> None:
        self.path, self.network, self.data = model, FaceEmotion(model), data
        self.card = self.network.card

    def logits(self, faces: face_data.FaceSet) -> Logits:
        return np.stack([self.network.logits(image) for image in tqdm(faces.images)])

    def calibrate(self) -> None:
        self.public = face_data.load(self.data, face_data.PUBLIC)
        self.public_logits = self.logits(self.public)
        truth = self.public.labels
        if self.card.view == "raters":
            truth = face_data.majority(self.public.votes)
        known = truth >= 0
        self.card = calibrated(self.card, self.public_logits[known], truth[known])

    def figures_of(self, faces: face_data.FaceSet, logits: Logits) -> dict[str, Any]:
        """Against the labels, without the leaked images, and against the raters' majority."""
        scores = metrics.softmax(logits, self.card.temperature)
        answers, crowd = logits.argmax(1), face_data.majority(faces.votes)
        right, known = answers == faces.labels, crowd >= 0
        return {
            **measured(logits, faces.labels, self.card),
            "accuracy_without_leaked": round(float(right[~faces.leaked].mean()), 4),
            "leaked": int(faces.leaked.sum()),
            "ferplus_majority_agreement": round(float((answers == crowd)[known].mean()), 4),
            "ferplus_majority_images": int(known.sum()),
            "ferplus_calibration_error": round(
                metrics.calibration_error(scores[known], crowd[known]), 4
            ),
        }

    def in_float(self, faces: face_data.FaceSet) -> dict[str, Any]:
        """The accuracy before int8."""
        network, (height, width, _) = FloatModel(FLOAT / self.path.name), self.card.input.shape
        pixels = faces.images.reshape(-1, height, width, 1).astype(np.float32)
        inputs = tqdm(self.card.normalise(pixels), "before int8")
        right = np.array([network(x).argmax() for x in inputs]) == faces.labels
        return {"samples": len(right), "accuracy": round(float(right.mean()), 4)}

    def in_scenes(self, faces: face_data.FaceSet, kind: Kind, every: int) -> dict[str, Any]:
        """Through detector and crop, one seeded scene for every `every`th face.

        Both accuracies are of the faces that were found: from the scene, and as given.
        """
        detector, random = detector_from_config(DetectorConfig(kind=kind)), np.random.default_rng(1)
        found, given, cropped, others = [], [], [], 0
        pairs = list(zip(faces.images, faces.labels, strict=True))[::every]
        for image, label in tqdm(pairs, f"scenes, {kind}"):
            scene = face_scenes.scene(image, random)
            boxes = [face.box for face in detector.detect_all(scene.image)]
            box = max(boxes, key=lambda box: overlap(box, scene.box), default=None)
            found.append(box is not None and overlap(box, scene.box) > SAME_FACE_IOU)
            others += len(boxes) - found[-1]
            if box is not None and found[-1]:
                given.append(self.network.logits(image).argmax() == label)
                cropped.append(self.network.classify(scene.image, [box])[0].argmax() == label)
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
        right = np.concatenate([logits.argmax(1) == faces.labels for logits, faces in parts])
        return {
            "PrivateTest": self.figures_of(private, private_logits),
            "PrivateTest before int8": self.in_float(private),
            "PrivateTest in scenes, YuNet": self.in_scenes(private, "yunet", every=1),
            "PrivateTest in scenes, Haar": self.in_scenes(private, "haar", every=5),
            "all splits together, training images included (says little)": {
                "samples": len(right),
                "accuracy": round(float(right.mean()), 4),
            },
        }
