"""How a clip of any length becomes the one window that is classified, in evaluation."""

import numpy as np
from numpy.typing import NDArray

from edge.inference.speech_features import loudest_start
from training.voice.data import RATE_HZ

Signal = NDArray[np.float32]

SAMPLES = 2 * RATE_HZ
HOP = RATE_HZ // 100
# Speech begins where the level first comes within 25 dB of the clip's loudest 10 ms.
ONSET_DB = 25
LEAD_S = 0.3


def loudest(clip: Signal) -> Signal:
    """The two seconds that hold the most energy."""
    start = loudest_start(clip, SAMPLES)
    return clip[start : start + SAMPLES]


def speech_start(clip: Signal) -> int:
    """Where the speech begins in a clip that was recorded in a studio, in samples."""
    hops = clip[: len(clip) // HOP * HOP].reshape(-1, HOP)
    energy = np.square(hops, dtype=np.float64).mean(1)
    return int(np.argmax(energy > energy.max() * 10 ** (-ONSET_DB / 10))) * HOP


def pressed(clip: Signal) -> Signal:
    """What a press gives: two seconds from 0.3 s before the speech, whatever comes after."""
    start = max(0, speech_start(clip) - round(LEAD_S * RATE_HZ))
    return clip[start : start + SAMPLES]


PROTOCOLS = {"loudest": loudest, "pressed": pressed}
