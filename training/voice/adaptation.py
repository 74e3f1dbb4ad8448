"""Would it help to know who speaks? `python -m training.voice.adaptation`, on left-out corpora.

A device that belongs to one person could subtract a slow mean of the log scores of its earlier
recordings: what it always says of this voice tells nothing. Here each speaker's clips come as a
stream of skewed emotions (some are frequent, and each tends to last), and the mean is shrunk
towards none by PRIOR recordings. Needs the answers that training.voice.leave_one_corpus_out keeps.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.common.metrics import Scores
from training.voice import corpora
from training.voice.leave_one_corpus_out import DEFAULT, answers_of_left_out
from training.voice.left_out_figures import LeftOut, fit_calibration, without

PRIORS = (4, 16, 64)
"""So many recordings of a mean of none are mixed in."""
STAY = 0.7
"""How often the emotion of the clip before comes again."""
CONCENTRATION = 1.0
"""Of the Dirichlet distribution of each speaker's emotions: at 1 most people are very skewed."""
LENGTH = 60
STREAMS = 5
FEWEST = 10
"""A speaker with fewer clips makes no stream."""


def stream(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """LENGTH rows of a speaker's clips, labels (n,), in the order in which they are recorded."""
    classes = np.unique(labels)
    shares = random.dirichlet(np.full(len(classes), CONCENTRATION))
    rows, emotion = [], random.choice(classes, p=shares)
    for _ in range(LENGTH):
        if random.random() > STAY:
            emotion = random.choice(classes, p=shares)
        rows.append(random.choice(np.flatnonzero(labels == emotion)))
    return np.array(rows)


def adapted(scores: Scores, prior: float) -> Scores:
    """Log scores (n, labels) of a stream, less the shrunk mean of those before each."""
    logs = np.log(scores + 1e-9)
    logs -= logs.mean(1, keepdims=True)
    before = np.cumsum(logs, 0) - logs
    return logs - before / (np.arange(len(logs))[:, None] + prior)


def streams(one: LeftOut, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of the corpus's clips, one speaker at a time; "unknown" is many people."""
    for speaker in np.unique(one.clips.speakers):
        rows = np.flatnonzero(one.clips.speakers == speaker)
        if len(rows) >= FEWEST and not speaker.endswith("/unknown"):
            for _ in range(STREAMS):
                yield rows[stream(one.labels[rows], random)]


def gains(one: LeftOut, temperature: float) -> dict[str, list[float]]:
    """For each way of adapting, the share that is right in each stream."""
    scores = one.answers.scores(temperature)
    found: dict[str, list[float]] = {}
    for rows in streams(one, np.random.default_rng(0)):
        labels = one.labels[rows]
        ways = {"as they are": scores[rows]}
        ways |= {f"prior {prior}": adapted(scores[rows], prior) for prior in PRIORS}
        for name, answered in ways.items():
            found.setdefault(name, []).append(float((answered.argmax(1) == labels).mean()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=DEFAULT)
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    options = parser.parse_args()
    everything = answers_of_left_out(options.runs, options.data)
    for name, one in everything.items():
        fitted = fit_calibration(without(everything, name))
        found = gains(fitted.applied(one), fitted.temperature)
        plain = np.array(found["as they are"])
        print(f"{name}, {len(plain)} streams:")
        for way, each in found.items():
            worse = (np.array(each) < plain).mean()
            print(
                f"  {way}: {np.mean(each):.1%} right, {worse:.0%} of the streams worse than plain"
            )


if __name__ == "__main__":
    main()
