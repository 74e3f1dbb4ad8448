"""How right a voice network is about corpora that were left out of its training, and how sure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from training.common import metrics
from training.voice import corpora
from training.voice.corpora import SEVEN, Clips
from training.voice.data import LABELS
from training.voice.whole_clips import Answers

RIDGE = 0.02
"""Of the offsets' squares."""
RIGHT = 0.6
"""Of the labels that are given, so many are to be right."""
PREFIX = "left out: "
"""How such figures are named on a card."""


def titled(name: str) -> str:
    """A corpus's figures on a card: 'left out: nemo (pl)'."""
    return f"{PREFIX}{name} ({corpora.BY_NAME[name].language})"


class LeftOut(NamedTuple):
    """A corpus and what a network that has not seen it says of its clips."""

    clips: Clips
    answers: Answers

    @property
    def labels(self) -> NDArray[np.int64]:
        """Indices of SEVEN, (n,)."""
        return corpora.as_seven(self.clips.labels)


def unweighted_average_recall(answered: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The mean over the classes that `labels` has of the share of each that was answered so."""
    return float(np.mean([(answered[labels == c] == c).mean() for c in np.unique(labels)]))


class Calibration(NamedTuple):
    """What makes a network's logits scores: softmax((logits + offsets) / temperature)."""

    temperature: float
    offsets: NDArray[np.float64]
    """(LABELS,), of mean 0; neutral and calm have the same"""

    def applied(self, one: LeftOut) -> LeftOut:
        """The corpus with the offsets in its answers."""
        return one._replace(answers=one.answers.shifted(self.offsets))


def of_eight(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets of SEVEN as those of LABELS."""
    return offsets[corpora.as_seven(np.arange(len(LABELS)))]


def fit_calibration(tested: Iterable[LeftOut], share: float = 1.0) -> Calibration:
    """The temperature and the offsets with the least negative log likelihood.

    Each corpus counts the same, and in it each of its labels. `share` of the offsets is kept, and
    the temperature fitted once more.
    """
    known = list(tested)

    def loss(values: NDArray[np.float64]) -> float:
        temperature, offsets = float(np.exp(values[0])), values[1:]
        shifted = Calibration(temperature, of_eight(offsets) * temperature)
        losses = [_loss(shifted.applied(one), temperature) for one in known]
        return float(np.mean(losses)) + RIDGE * float(np.square(offsets).sum())

    start = np.zeros(1 + len(SEVEN))
    best = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 25}).x
    offsets = of_eight(best[1:] * np.exp(best[0])) * share
    offsets -= offsets.mean()
    without_temperature = Calibration(1.0, offsets)
    temperature = fit_temperature(without_temperature.applied(one) for one in known)
    return Calibration(temperature, offsets)


def fit_temperature(tested: Iterable[LeftOut]) -> float:
    """The temperature with the least negative log likelihood; each corpus counts the same."""
    known = list(tested)

    def loss(log_temperature: float) -> float:
        return float(np.mean([_loss(one, float(np.exp(log_temperature))) for one in known]))

    return float(np.exp(minimize_scalar(loss, bounds=(-1, 2), method="bounded").x))


def _loss(one: LeftOut, temperature: float) -> float:
    """The mean over the corpus's labels of their clips' mean negative log likelihood."""
    scores, labels = one.answers.scores(temperature), one.labels
    losses = -np.log(scores[np.arange(len(scores)), labels] + 1e-12)
    return float(np.mean([losses[labels == label].mean() for label in np.unique(labels)]))


class Given(NamedTuple):
    """What a device would show of a corpus: labels, or `uncertain`."""

    share: float
    right: float
    """Of those that are given; 1 where none is."""


def given(one: LeftOut, temperature: float, threshold: float) -> Given:
    """Labels are given where the likeliest of the device's eight scores reaches `threshold`."""
    eight = one.answers.eight(temperature)
    shown = eight.max(1) >= threshold
    right = corpora.as_seven(eight.argmax(1)) == one.labels
    return Given(float(shown.mean()), float(right[shown].mean()) if shown.any() else 1.0)


def fit_threshold(tested: Iterable[LeftOut], temperature: float) -> float:
    """The lowest threshold, in steps of 0.01, at which RIGHT of the labels given are right.

    Shares are means over the corpora that are given any label.
    """
    known = list(tested)
    for threshold in np.arange(0.2, 0.9, 0.01):
        found = [given(one, temperature, threshold) for one in known]
        rights = [each.right for each in found if each.share > 0]
        if rights and np.mean(rights) >= RIGHT:
            return round(float(threshold), 2)
    return 0.9


def figures(one: LeftOut, temperature: float, threshold: float) -> dict[str, Any]:
    """What the card says of a corpus: shares of 1, rounded to 4 places."""
    scores, labels = one.answers.scores(temperature), one.labels
    classes = np.unique(labels)
    counts = metrics.confusion(scores, labels)
    shown = given(one, temperature, threshold)
    return {
        "samples": len(labels),
        "unweighted_average_recall": round(unweighted_average_recall(scores.argmax(1), labels), 4),
        "chance_level": round(1 / len(classes), 4),
        "calibration_error": round(metrics.calibration_error(scores, labels), 4),
        "labels_given": round(shown.share, 4),
        "labels_given_right": round(shown.right, 4),
        "recall": {SEVEN[c]: round(float(metrics.recalls(counts)[c]), 4) for c in classes},
        **by_sex(one, scores.argmax(1)),
    }


def by_sex(one: LeftOut, answered: NDArray[np.int64]) -> dict[str, float]:
    """The unweighted average recall of women and of men, where the corpus has both."""
    sexes = {"women": one.clips.sexes == "f", "men": one.clips.sexes == "m"}
    if not all(rows.any() for rows in sexes.values()):
        return {}
    return {
        name: round(unweighted_average_recall(answered[rows], one.labels[rows]), 4)
        for name, rows in sexes.items()
    }


def without(tested: Mapping[str, LeftOut], name: str) -> list[LeftOut]:
    """All corpora but one."""
    return [one for other, one in tested.items() if other != name]


def cross_fitted_figures(
    tested: Mapping[str, LeftOut], share: float = 1.0
) -> dict[str, dict[str, Any]]:
    """Each corpus's figures; temperature, offsets and threshold are fitted on the others."""
    found = {}
    for name, one in tested.items():
        others = without(tested, name)
        fitted = fit_calibration(others, share)
        shifted = [fitted.applied(other) for other in others]
        threshold = fit_threshold(shifted, fitted.temperature)
        found[name] = figures(fitted.applied(one), fitted.temperature, threshold)
    return found


def means(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Of several corpora's figures, each counting the same; `samples` is their number."""
    names = [key for key, value in next(iter(found.values())).items() if isinstance(value, float)]
    rows = {name: [f[name] for f in found.values() if name in f] for name in names}
    total = sum(f["samples"] for f in found.values())
    return {"samples": total} | {n: round(float(np.mean(row)), 4) for n, row in rows.items()}
