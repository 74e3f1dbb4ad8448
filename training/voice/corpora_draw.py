"""Which clips train a network, and how often each is drawn: balanced by corpus and by label."""

import numpy as np
from numpy.typing import NDArray

from training.voice import data as voice_data
from training.voice.corpora import RAVDESS, Clips

CORPUS_WEIGHTS = {
    RAVDESS.name: 2.0,
    "nemo": 1.5,
    "ased": 1.2,
    "spanish_ue": 1.5,
    "turev": 1.0,
    "emovo": 1.2,
    "korean_kaist": 0.6,
    "emospeech_in": 0.4,
}
"""How often a corpus is drawn, whatever its size; its labels are drawn equally often."""
OTHERS_WEIGHT = 1.5
"""Of a folder that is trained on beside these corpora."""


def training_clips(clips: Clips) -> Clips:
    """Those of RAVDESS's training actors, and all of the other corpora."""
    actors = [f"{RAVDESS.name}/{actor}" for actor in voice_data.TRAINING_ACTORS]
    return clips.where((clips.corpora != RAVDESS.name) | np.isin(clips.speakers, actors))


def draw_weights(clips: Clips) -> NDArray[np.float64]:
    """(n,), of sum 1: corpora by CORPUS_WEIGHTS, and within each its labels equally."""
    weights = np.zeros(len(clips))
    for name in np.unique(clips.corpora):
        here = clips.corpora == name
        labels, counts = np.unique(clips.labels[here], return_counts=True)
        per_clip = dict(
            zip(labels, CORPUS_WEIGHTS.get(name, OTHERS_WEIGHT) / len(labels) / counts, strict=True)
        )
        weights[here] = [per_clip[label] for label in clips.labels[here]]
    return weights / weights.sum()
