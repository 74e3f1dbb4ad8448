"""MFCC in two steps, so that what lies between can be altered: noise, microphone, place in time.

The device's 40 coefficients of 40 filters lose nothing: from the mel energies of a longer sound the
same features come, but for the floor of noise and the frame that the window's end cuts. Energies
are powers, (n, frames, filters) float32 tensors; two sounds together have the sum of theirs.
"""

import numpy as np
import python_speech_features as psf
import torch
from numpy.typing import NDArray
from scipy.fft import dct
from torch import Tensor
from torch.nn import functional

from edge.inference.card import SpeechFeatures
from edge.inference.speech_features import FLOOR_RMS, MIN_RMS, TARGET_RMS, Signal
from training.voice.augment import noise_like
from training.voice.bank import LEAST, log_energies

NOISE_S = 60
TILTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""From white to brown, see `voice_augment.noise_like`."""
SNR_DB = (0.0, 25.0)
NOISE_SHARE = 0.85
COLOUR_DB = 9.0
COLOUR_SHARE = 0.6
# A throat longer or shorter: its resonances lie lower or higher (Jaitly & Hinton 2013).
WARP = 0.08
MASK_FILTERS = 8

Rows = NDArray[np.int64]


class Microphone:
    """Makes features of energies, (n, frames, filters), each time a little differently."""

    def __init__(self, settings: SpeechFeatures) -> None:
        self.settings = settings
        random = np.random.default_rng(0)
        sound = np.zeros(NOISE_S * settings.rate_hz, np.float32)
        noises = [noise_like(sound, tilt, random) for tilt in TILTS]
        self.noises = torch.stack([self.unit(noise / noise.std()) for noise in noises])
        """(tilts, frames, filters) of noise whose mean square is 1."""
        transform = dct(np.eye(settings.filters), norm="ortho", axis=1)
        self.transform = torch.from_numpy(transform[:, : settings.coefficients]).float()
        self.weights = self._weights()

    def unit(self, noise: Signal) -> Tensor:
        return torch.from_numpy(log_energies(noise, self.settings)).exp()

    def _weights(self) -> Tensor:
        """(filters,) with which energies add up to a sound's mean square.

        White noise has it all alike, but for pre-emphasis, which is undone.
        """
        ends = psf.base.hz2mel(np.array([self.settings.low_hz, self.settings.high_hz]))
        centres_hz = psf.base.mel2hz(np.linspace(*ends, self.settings.filters + 2)[1:-1])
        turn = 2 * np.pi * centres_hz / self.settings.rate_hz
        emphasis = np.abs(1 - self.settings.preemphasis * np.exp(-1j * turn)) ** 2
        weights = torch.from_numpy(1 / emphasis)
        return (weights / (self.noises[0].double().mean(0) @ weights)).float()

    def power(self, energies: Tensor) -> Tensor:
        """Mean square over the window, (n, 1, 1)."""
        return (energies @ self.weights).mean(1)[:, None, None]

    def some_noise(self, tilts: Rows, frames: int, random: np.random.Generator) -> Tensor:
        """Noise of each tilt, (n, frames, filters), mean square 1."""
        starts = random.integers(self.noises.shape[1] - frames, size=len(tilts))
        return torch.stack(
            [self.noises[t, s : s + frames] for t, s in zip(tilts, starts, strict=True)]
        )

    def levelled(self, energies: Tensor, power: Tensor, random: np.random.Generator) -> Tensor:
        """At the level that the device brings every window to, over its floor of noise.

        `power`: the windows' mean square, (n, 1, 1).
        """
        gain = TARGET_RMS**2 / power.clamp(min=MIN_RMS**2)
        floor = self.some_noise(np.zeros(len(energies), np.int64), energies.shape[1], random)
        return energies * gain + floor * FLOOR_RMS**2

    def features(self, energies: Tensor) -> Tensor:
        """(n, frames, 2 * coefficients): MFCC and delta, as `edge.inference.speech_features`."""
        cepstra = energies.clamp(min=LEAST).log() @ self.transform
        return torch.cat([cepstra, delta(cepstra, self.settings.delta_reach)], 2)

    def heard(
        self, energies: Tensor, random: np.random.Generator, passed: Tensor | float = 1.0
    ) -> Tensor:
        """Features of other throats, in noise, through other microphones; each for some rows.

        `passed`: the powers that get through a codec, (n, 1, filters).
        """
        count, frames, filters = energies.shape
        energies = warped(energies, random.uniform(1 - WARP, 1 + WARP, count))
        power = self.power(energies)
        noisy = random.random(count) < NOISE_SHARE
        share = per_row(np.where(noisy, 10 ** (-random.uniform(*SNR_DB, count) / 10), 0))
        tilts = random.integers(len(TILTS), size=count)
        energies = energies + self.some_noise(tilts, frames, random) * share * power
        bent = energies * response(count, filters, random) * passed
        power = power * (1 + share) * self.power(bent) / self.power(energies).clamp(min=LEAST)
        return self.features(deaf(self.levelled(bent, power, random), random))


def response(count: int, filters: int, random: np.random.Generator) -> Tensor:
    """Microphones' smooth responses, as powers (count, 1, filters); some of them are flat."""
    decibels = random.uniform(-COLOUR_DB, COLOUR_DB, (count, 1, 6))
    decibels *= random.random((count, 1, 1)) < COLOUR_SHARE
    points = torch.from_numpy(decibels).float()
    smooth = functional.interpolate(points, filters, mode="linear", align_corners=True)
    return torch.as_tensor(10 ** (smooth / 10))


def deaf(energies: Tensor, random: np.random.Generator) -> Tensor:
    """In each row some neighbouring filters hold their mean over time (Park et al. 2019)."""
    count, _, filters = energies.shape
    width = random.integers(MASK_FILTERS + 1, size=(count, 1, 1))
    first = random.integers(filters - width + 1)
    here = np.arange(filters)
    lost = torch.from_numpy((here >= first) & (here < first + width))
    means = energies.clamp(min=LEAST).log().mean(1, keepdim=True).exp()
    return torch.where(lost, means, energies)


def per_row(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()[:, None, None]


def warped(energies: Tensor, factors: NDArray[np.float64]) -> Tensor:
    """Each row's filters moved: what was in filter f is then in filter f * factor."""
    filters = energies.shape[2]
    places = torch.arange(filters) / torch.from_numpy(factors).float()[:, None]
    places = places.clamp(max=filters - 1)
    low = places.floor().long().clamp(max=filters - 2)
    share = (places - low)[:, None]
    logs = energies.clamp(min=LEAST).log()
    low = low[:, None].expand(-1, energies.shape[1], -1)
    return torch.lerp(logs.gather(2, low), logs.gather(2, low + 1), share).exp()


def delta(cepstra: Tensor, reach: int) -> Tensor:
    """The regression slope over `reach` frames to both sides, edges repeated, as psf.delta's."""
    frames = cepstra.shape[1]
    padded = torch.cat(
        [cepstra[:, :1].expand(-1, reach, -1), cepstra, cepstra[:, -1:].expand(-1, reach, -1)], 1
    )
    slope = sum(by * padded[:, reach + by : reach + by + frames] for by in range(-reach, reach + 1))
    return slope / (2 * sum(by**2 for by in range(1, reach + 1)))
