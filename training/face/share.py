"""How good both heads together are, by the share of the raters' head; and which share ships.

Two truths: FER2013's label, and the majority of the ten FER+ raters where there is one.
`python -m training.face.share` prints a table of a shipped file on PublicTest.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import Card, RatersHead
from edge.inference.face_emotion import FaceEmotion, mixed
from edge.policy.decision import valence_arousal
from training.common import metrics
from training.common.calibration import Logits
from training.common.cards import MODELS
from training.face import data as face_data

NEUTRAL = face_data.LABELS.index("neutral")
SHARES = np.linspace(0, 1, 21)
WANTED_MAJORITY, WANTED_NEUTRAL = 0.82, 0.80
"""What the default share has to reach on PublicTest: agreement with the raters' majority, and
among the faces that they call neutral."""


def scores_of(card: Card, logits: Logits, share: float) -> metrics.Scores:
    """Logits (n, card.outputs) to the device's scores (n, 7), as float64 rows that sum to 1."""
    scores = mixed(card, logits, share).astype(np.float64)
    return scores / scores.sum(1, keepdims=True)


def raters_figures(scores: metrics.Scores, votes: NDArray[np.int64]) -> dict[str, float]:
    """Against the raters' majority, on the images that have one; nothing without votes."""
    crowd = face_data.majority(votes)
    known = crowd >= 0
    if not known.any():
        return {}
    right = scores.argmax(1) == crowd
    return {
        "ferplus_majority_agreement": round(float(right[known].mean()), 4),
        "ferplus_majority_images": int(known.sum()),
        "ferplus_neutral_recall": round(float(right[crowd == NEUTRAL].mean()), 4),
        "ferplus_calibration_error": round(
            metrics.calibration_error(scores[known], crowd[known]), 4
        ),
    }


def dimension_figures(scores: metrics.Scores, votes: NDArray[np.int64]) -> dict[str, float]:
    """Valence and arousal of scores (n, 7) against those of the raters' votes (n, 10).

    Both are made by `valence_arousal`; of the images with a vote for one of the seven labels.
    """
    voted = face_data.voted_scores(votes)
    known = voted.any(1)
    if not known.any():
        return {}
    found, wanted = dimensions(scores[known]), dimensions(voted[known])
    return {
        "ferplus_voted_images": int(known.sum()),
        "ferplus_valence_ccc": round(metrics.concordance(found[:, 0], wanted[:, 0]), 4),
        "ferplus_arousal_ccc": round(metrics.concordance(found[:, 1], wanted[:, 1]), 4),
    }


def dimensions(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Scores (n, 7) to valence and arousal (n, 2), through the device's own code."""
    rows = (dict(zip(face_data.LABELS, row.tolist(), strict=True)) for row in scores)
    return np.array([valence_arousal(row) for row in rows])


def both_truths(
    card: Card, logits: Logits, faces: face_data.FaceSet, share: float
) -> dict[str, Any]:
    """The few figures that a share is judged by."""
    scores = scores_of(card, logits, share)
    counts = metrics.confusion(scores, faces.labels)
    return {
        "samples": len(faces),
        "accuracy": round(metrics.accuracy(scores, faces.labels), 4),
        "balanced_accuracy": round(float(metrics.recalls(counts).mean()), 4),
        "calibration_error": round(metrics.calibration_error(scores, faces.labels), 4),
        **raters_figures(scores, faces.votes),
        **dimension_figures(scores, faces.votes),
    }


def default_share(card: Card, logits: Logits, faces: face_data.FaceSet) -> float:
    """The least share that gives the raters what is wanted: labels lose by every step more.

    Where none does, the one with the most of both truths.
    """
    found = [(float(s), both_truths(card, logits, faces, float(s))) for s in SHARES]
    for share, figures in found:
        if (
            figures["ferplus_majority_agreement"] >= WANTED_MAJORITY
            and figures["ferplus_neutral_recall"] >= WANTED_NEUTRAL
        ):
            return round(share, 2)
    best = max(found, key=lambda pair: pair[1]["accuracy"] + pair[1]["ferplus_majority_agreement"])
    return round(best[0], 2)


def fitted(card: Card, logits: Logits, faces: face_data.FaceSet) -> Card:
    """The card with both temperatures, each by its own truth, the share, and reliabilities.

    The reliability of a label is its F1 against FER2013's labels at the default share.
    """
    count = len(card.labels)
    temperature = metrics.fit_temperature(logits[:, :count], faces.labels)
    card = msgspec.structs.replace(card, temperature=round(temperature, 4))
    share = 0.0
    if card.raters is not None:
        crowd = face_data.majority(faces.votes)
        known = crowd >= 0
        theirs = metrics.fit_temperature(logits[known, count:], crowd[known])
        card = msgspec.structs.replace(card, raters=RatersHead(round(theirs, 4), 0.0))
        share = default_share(card, logits, faces)
        card = msgspec.structs.replace(card, raters=RatersHead(round(theirs, 4), share))
    counts = metrics.confusion(scores_of(card, logits, share), faces.labels)
    trust = zip(card.labels, metrics.f1(counts), strict=True)
    return msgspec.structs.replace(
        card, reliability={name: round(float(f1), 3) for name, f1 in trust}
    )


def row(share: float, figures: dict[str, Any]) -> str:
    """A line of the table: percent, and calibration errors in shares of 1."""
    names = (
        "accuracy",
        "balanced_accuracy",
        "ferplus_majority_agreement",
        "ferplus_neutral_recall",
    )
    errors = ("calibration_error", "ferplus_calibration_error")
    cells = [f"{100 * figures[name]:.1f} %" for name in names]
    cells += [f"{figures[name]:.3f}" for name in errors]
    return f"| {share:g} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODELS["face"])
    parser.add_argument("--data", type=Path, default=Path("training/data/fer2013.npz"))
    options = parser.parse_args()
    network, faces = FaceEmotion(options.model), face_data.load(options.data, face_data.PUBLIC)
    logits = np.stack([network.logits(image) for image in faces.images])
    for share in SHARES[::2]:
        print(row(share, both_truths(network.card, logits, faces, float(share))))


if __name__ == "__main__":
    main()
