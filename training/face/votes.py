"""What ten raters' votes tell of FER2013's label: a less noisy target than the label alone.

One person's label of an image is one draw from what people would answer; the votes of ten raters
on the same image, translated into FER2013's labels, say how likely each draw was.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from training.face.data import LABELS, FaceSet

DECAY = 1e-4
STEPS = 300
Values = NDArray[np.float64]


def vote_features(votes: NDArray[np.int64]) -> Values:
    """Votes (n, 10) to (n, 31): a constant, shares, their square roots, who has nearly half."""
    shares = votes.clip(min=0) / 10
    return np.concatenate([np.ones((len(votes), 1)), shares, np.sqrt(shares), shares > 0.45], 1)


def logistic_regression(inputs: Values, labels: NDArray[np.int64]) -> Values:
    """Weights (features, 7) with the least cross-entropy on inputs (n, features), labels (n,)."""
    truth, shape = np.eye(len(LABELS))[labels], (inputs.shape[1], len(LABELS))

    def loss(flat: Values) -> tuple[float, Values]:
        weights = flat.reshape(shape)
        answers = log_softmax(inputs @ weights, axis=1)
        slope = inputs.T @ (np.exp(answers) - truth) / len(truth) + 2 * DECAY * weights
        value = -(truth * answers).sum() / len(truth) + DECAY * (weights**2).sum()
        return float(value), slope.ravel()

    options = {"maxiter": STEPS}
    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x.reshape(shape))


def expected_labels(faces: FaceSet) -> NDArray[np.float32]:
    """How likely each label is by the votes (n, 7), fitted to these very faces.

    Zeros where an image has no votes.
    """
    inputs, voted = vote_features(faces.votes), (faces.votes > 0).any(1)
    if not voted.any():
        return np.zeros((len(faces), len(LABELS)), np.float32)
    weights = logistic_regression(inputs[voted], faces.labels[voted])
    scores = np.exp(log_softmax(inputs @ weights, axis=1))
    return np.asarray(scores * voted[:, None], np.float32)


def label_targets(faces: FaceSet, smoothing: float, voted_share: float) -> NDArray[np.float32]:
    """The label as soft targets (n, 7).

    `smoothing` of it goes to all seven alike, and `voted_share` of the target is what the votes
    expect (nothing where there are none).
    """
    hard = np.eye(len(LABELS), dtype=np.float32)[faces.labels]
    smooth = hard * (1 - smoothing) + smoothing / len(LABELS)
    expected = expected_labels(faces)
    share = voted_share * expected.sum(1, keepdims=True)
    return np.asarray(smooth * (1 - share) + voted_share * expected, np.float32)
