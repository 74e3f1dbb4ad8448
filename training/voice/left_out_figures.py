"""How right a voice network is about corpora that were left out of its training, and how sure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from training.common import metrics
from training.voice import corpora
from training.voice.corpora import SEVEN, Clips
from training.voice.whole_clips import Answers

RIGHT = 0.6
"""Of the labels that are given, so many are to be right."""
LEFT_OUT = "left out: "
"""How such figures are named on a card."""


def titled(name: str) -> str:
    """A corpus's figures on a card: 'left out: nemo (pl)'."""
    return f"{LEFT_OUT}{name} ({corpora.BY_NAME[name].language})"


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


def fit_temperature(tested: Iterable[LeftOut]) -> float:
    """The temperature with the least negative log likelihood; each corpus counts the same."""
    known = list(tested)

    def loss(log_temperature: float) -> float:
        return float(np.mean([_loss(one, float(np.exp(log_temperature))) for one in known]))

    return float(np.exp(minimize_scalar(loss, bounds=(-1, 2), method="bounded").x))


def _loss(one: LeftOut, temperature: float) -> float:
    scores = one.answers.scores(temperature)
    return -float(np.log(scores[np.arange(len(scores)), one.labels] + 1e-12).mean())


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


def cross_fitted_figures(tested: Mapping[str, LeftOut]) -> dict[str, dict[str, Any]]:
    """Each corpus's figures; temperature and threshold are fitted on the others."""
    found = {}
    for name, one in tested.items():
        others = without(tested, name)
        temperature = fit_temperature(others)
        found[name] = figures(one, temperature, fit_threshold(others, temperature))
    return found


def means(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Of several corpora's figures, each counting the same; `samples` is their number."""
    names = [key for key, value in next(iter(found.values())).items() if isinstance(value, float)]
    rows = {name: [f[name] for f in found.values() if name in f] for name in names}
    total = sum(f["samples"] for f in found.values())
    return {"samples": total} | {n: round(float(np.mean(row)), 4) for n, row in rows.items()}
