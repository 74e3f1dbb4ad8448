"""How good scores are. Scores (n, classes) sum to 1 by row; labels (n,) are indices."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]

BINS = 15


def softmax(logits: NDArray[np.float32], temperature: float) -> Scores:
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def fit_temperature(logits: NDArray[np.float32], labels: Labels) -> float:
    """The temperature with the least negative log likelihood (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        shares = softmax(logits, float(np.exp(log_temperature)))
        return -float(np.log(shares[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def confusion(scores: Scores, labels: Labels) -> NDArray[np.int64]:
    """Counts, (true, answered)."""
    classes = scores.shape[1]
    return np.bincount(labels * classes + scores.argmax(1), minlength=classes**2).reshape(
        classes, classes
    )


def accuracy(scores: Scores, labels: Labels) -> float:
    return float((scores.argmax(1) == labels).mean())


def recalls(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return counts.diagonal() / np.maximum(counts.sum(1), 1)


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per class, the harmonic mean of precision and recall."""
    return 2 * counts.diagonal() / np.maximum(counts.sum(0) + counts.sum(1), 1)


def calibration(scores: Scores, labels: Labels) -> dict[str, dict[str, float]]:
    """The reliability diagram: per bin of the chosen label's score its share of all, and how
    often it is right; the bins are named by their middle.
    """
    confidence, right = scores.max(1), scores.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    chosen = {f"{(b + 0.5) / BINS:.3f}": bins == b for b in np.unique(bins)}
    return {
        "calibration_share": {name: round(float(b.mean()), 4) for name, b in chosen.items()},
        "calibration_right": {name: round(float(right[b].mean()), 4) for name, b in chosen.items()},
    }


def calibration_error(scores: Scores, labels: Labels) -> float:
    """Expected calibration error of the chosen label over 15 equal bins of its score."""
    confidence, right = scores.max(1), scores.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def chance_calibration_error(scores: Scores, draws: int = 500) -> float:
    """The calibration error that scores which are exactly right would show in so few samples.

    The mean over `draws` in which each answer is right as often as its score says.
    """
    random = np.random.default_rng(0)
    wrong = random.random((draws, len(scores))) > scores.max(1)
    labels = scores.argmax(1) + wrong  # any other label than the chosen one
    return float(np.mean([calibration_error(scores, drawn) for drawn in labels]))


def concordance(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Concordance correlation coefficient (Lin 1989) of two (n,): 1 only where they are equal."""
    apart = float(found.mean() - wanted.mean())
    together = float(np.mean((found - found.mean()) * (wanted - wanted.mean())))
    return 2 * together / (float(found.var() + wanted.var()) + apart**2)


def figures(scores: Scores, labels: Labels, names: tuple[str, ...]) -> dict[str, object]:
    """What every card reports of a set: shares of 1, rounded to 4 places, and the confusion."""
    counts = confusion(scores, labels)
    recall = recalls(counts)
    return {
        "samples": len(labels),
        "accuracy": round(accuracy(scores, labels), 4),
        "balanced_accuracy": round(float(recall.mean()), 4),
        "calibration_error": round(calibration_error(scores, labels), 4),
        **calibration(scores, labels),
        "recall": {name: round(float(r), 4) for name, r in zip(names, recall, strict=True)},
        "confusion": counts.tolist(),
    }
