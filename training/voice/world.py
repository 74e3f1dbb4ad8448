"""What a webcam hears of a clip: a small room, another gain, noise. Only for measuring.

The room is not the one of training's augmentation: there a fading noise, here the echoes of walls.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from training.voice.augment import mixed, noise_like
from training.voice.data import RATE_HZ

Signal = NDArray[np.float32]
Random = np.random.Generator
Place = NDArray[np.float64]

SNR_DB = 15.0
GAIN_DB = (-30.0, -6.0)
ROOM_M = ((2.5, 5.0), (2.5, 4.0), (2.2, 2.8))
# What a furnished wall gives back; the reverberation times come to about 0.2 to 0.5 s.
REFLECTION = (0.7, 0.85)
ORDER = 18
SOUND_M_S = 343.0
STEP = 1 / 32768
CELLS = np.array([c for c in product(range(-ORDER, ORDER + 1), repeat=3)
                  if sum(map(abs, c)) <= ORDER])  # fmt: skip


def image_places(room: Place, mouth: Place) -> tuple[Place, NDArray[np.int64]]:
    """Where the mouth's mirror images stand, (n, 3) m, and in how many walls each is mirrored.

    Allen & Berkley 1979, up to ORDER reflections.
    """
    return CELLS * room + np.where(CELLS % 2 == 1, room - mouth, mouth), np.abs(CELLS).sum(1)


def echoes(random: Random) -> NDArray[np.float64]:
    """The impulse response from a mouth to a webcam half to one and a half metres away."""
    room = np.array([random.uniform(*side) for side in ROOM_M])
    microphone = room * random.uniform(0.3, 0.7, 3)
    direction = random.standard_normal(3)
    reach_m = random.uniform(0.5, 1.5) / np.linalg.norm(direction)
    mouth = np.clip(microphone + direction * reach_m, 0.1, room - 0.1)
    places, walls = image_places(room, mouth)
    far_m = np.linalg.norm(places - microphone, axis=1)
    response = np.zeros(int(far_m.max() / SOUND_M_S * RATE_HZ) + 1)
    strength = random.uniform(*REFLECTION) ** walls / np.maximum(far_m, 0.1)
    np.add.at(response, (far_m / SOUND_M_S * RATE_HZ).astype(int), strength)
    return response[np.flatnonzero(response)[0] :]


def in_a_room(window: Signal, random: Random) -> Signal:
    return fftconvolve(window, echoes(random))[: len(window)].astype(np.float32)


def in_noise(window: Signal, random: Random) -> Signal:
    """Pink noise 15 dB below the voice: the fan and the street."""
    return mixed(window, noise_like(window, 0.5, random), SNR_DB)


def with_gain(window: Signal, random: Random) -> Signal:
    """Turned down by 6 to 30 dB, in a 16-bit recording's steps."""
    quieter = window * 10 ** (random.uniform(*GAIN_DB) / 20)
    return (np.rint(quieter / STEP) * STEP).astype(np.float32)


def webcam(window: Signal, seed: int) -> Signal:
    """All three; the same seed, the same room."""
    random = np.random.default_rng((15, seed))
    return with_gain(in_noise(in_a_room(window, random), random), random)
