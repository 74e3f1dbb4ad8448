"""Faces that talk, made for measuring: a stand-in for films of people who talk.

Photographs of FER2013's PublicTest (never PrivateTest), whose chin falls and whose mouth opens with
the loudness of real sentences (RAVDESS, actors 1 to 20), while the head sways a little. The opening
of a mouth follows the loudness of the voice: Chandrasekaran et al. 2009, "The natural statistics of
audiovisual speech", doi 10.1371/journal.pcbi.1000436. What the networks make of it is measured; how
people move is not: a warped photograph has no teeth, and its eyes and brows stand still.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.types import Image

PUBLIC_TEST = 1
LAST_ACTOR = 20
FACES, DURATION_S, RATE_HZ = 150, 12.0, 30
SIDE_PX = 48
MOUTH_PX, MOUTH_HALF_PX = 36.4, 9.0
"""The mouth's height in the photograph, and half its width."""
OPEN_PX, DARK = 5.0, 0.45
"""How far a mouth opens, and how dark it is inside."""
SWAY_PX, SWAY_FRAMES = 6.0, 6.0
"""Of white noise, smoothed over so many frames: about a pixel."""
SILENCE = 0.1
"""Of the loud parts; what is softer at the ends of a recording is cut off."""
Floats = NDArray[np.float32]
ROWS, COLUMNS = (axis.astype(np.float32) for axis in np.mgrid[:SIDE_PX, :SIDE_PX])
BESIDE = np.exp(-(((COLUMNS - SIDE_PX / 2) / MOUTH_HALF_PX) ** 2))
"""1 in the middle of the mouth, less towards its corners."""


def loudness(path: Path) -> Floats:
    """RMS of a recording in each frame, from its first to its last word; 1 = loud."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    size = rate_hz // RATE_HZ
    parts = samples[: len(samples) // size * size].reshape(-1, size)
    levels = np.sqrt(np.square(parts).mean(axis=1))
    levels /= np.percentile(levels, 95)
    spoken = np.flatnonzero(levels > SILENCE)
    return np.asarray(levels[spoken[0] : spoken[-1]].clip(0, 1), np.float32)


def talk(folder: Path, random: np.random.Generator) -> Floats:
    """How far a mouth is open in each frame, 0 to 1, over several sentences."""
    with (folder / "index.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if int(r["actor"][-2:]) <= LAST_ACTOR]
    frames: list[float] = []
    while len(frames) < DURATION_S * RATE_HZ:
        row = rows[random.integers(len(rows))]
        frames += loudness(folder / row["actor"] / f"{row['name']}.flac").tolist()
    return np.convolve(frames, [0.25, 0.5, 0.25], "same")[: round(DURATION_S * RATE_HZ)]


def with_open_mouth(face: Image, opening: float, dx: float, dy: float) -> Image:
    """(48, 48) uint8: the part below the lips moved down, dark between, and all of it moved."""
    drop = OPEN_PX * opening * BESIDE
    chin = ROWS - drop * ((SIDE_PX - ROWS) / (SIDE_PX - MOUTH_PX - drop + 1e-3)).clip(0, 1)
    source = np.where(MOUTH_PX + drop < ROWS, chin, np.minimum(ROWS, MOUTH_PX))
    maps = (COLUMNS + dx).astype(np.float32), (source + dy).astype(np.float32)
    moved = cv2.remap(face, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (ROWS > MOUTH_PX) & (MOUTH_PX + drop > ROWS) & (BESIDE > 0.3)
    return np.where(inside, moved * DARK, moved).astype(np.uint8)


def talking_faces(data: Path) -> Iterator[list[Image]]:
    """The frames of each face: (48, 48, 3) uint8, RATE_HZ a second for DURATION_S."""
    archive = np.load(data / "fer2013.npz")
    images = archive["images"][archive["usage"] == PUBLIC_TEST]
    random = np.random.default_rng(0)
    for face in images[random.choice(len(images), FACES, replace=False)]:
        openings = talk(data / "ravdess_16k", random)
        noise = random.normal(size=(2, len(openings))).astype(np.float32)
        sway = SWAY_PX * cv2.GaussianBlur(noise, (0, 0), SWAY_FRAMES, sigmaY=1e-3)
        frames = map(with_open_mouth, [face] * len(openings), openings, *sway)
        yield [np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8) for frame in frames]
