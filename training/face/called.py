"""What the faces of PublicTest are called that most of the ten FER+ raters agree on, as the device
calls them: with its thresholds, at its own raters' share. The figures of docs/faq.md.

    python -m training.face.called
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bus.messages import UNCERTAIN
from edge.config import FaceConfig
from edge.inference.face_emotion import FaceEmotion
from edge.policy.decision import decide
from training.common.cards import MODELS
from training.face import data as face_data
from training.face.share import scores_of

NAMES = (*face_data.LABELS, UNCERTAIN)


def called(scores: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Scores (n, 7) to indices of NAMES (n,), by the device's rule."""
    rows = (dict(zip(face_data.LABELS, row.tolist(), strict=True)) for row in scores)
    return np.array([NAMES.index(decide(row, threshold)[0]) for row in rows], np.int64)


def shares(seen: NDArray[np.int64], of: NDArray[np.bool_]) -> dict[str, float]:
    """{name: share} of what the chosen faces are called."""
    counts = np.bincount(seen[of], minlength=len(NAMES))
    return {name: float(n / max(1, counts.sum())) for name, n in zip(NAMES, counts, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODELS["face"])
    parser.add_argument("--data", type=Path, default=Path("training/data/fer2013.npz"))
    options = parser.parse_args()
    network, faces = FaceEmotion(options.model), face_data.load(options.data, face_data.PUBLIC)
    logits = np.stack([network.logits(image) for image in faces.images])
    crowd = face_data.majority(faces.votes)
    for share in (network.card.raters.default_share if network.card.raters else 0.0, 0.0, 1.0):
        seen = called(scores_of(network.card, logits, share), FaceConfig().threshold)
        print(f"\nraters' share {share:g} | {' | '.join(NAMES)} |")
        for index, label in enumerate(face_data.LABELS):
            row = shares(seen, crowd == index).values()
            cells = " | ".join(f"{value:.1%}" for value in row)
            print(f"{label}, {(crowd == index).sum()} faces | {cells} |")
        angry = (seen == NAMES.index("angry")) & (crowd >= 0)
        agreed = (crowd[angry] == NAMES.index("angry")).mean()
        print(f"called angry: {angry.sum()}, of them by most raters, too: {agreed:.1%}")


if __name__ == "__main__":
    main()
