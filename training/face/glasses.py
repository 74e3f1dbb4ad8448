"""Glasses drawn onto faces: FER2013 holds few, and people who wear them are misread most."""

import torch
from torch import Tensor

from training.common.cards import FACE_CROP

# Of the crop's side: half the width and height of a lens, and the rim's thickness.
HALF_WIDTH, HALF_HEIGHT, RIM = (0.11, 0.16), (0.075, 0.13), (0.012, 0.035)
# Rounded rectangles: the exponent of |x|^p + |y|^p = 1, from an ellipse to nearly a box.
ROUNDNESS = (2.0, 6.0)
EDGE = 0.012
"""The softness of what is drawn, of the crop's side: about half a pixel of 48."""


def drawn_between(x: Tensor, low: float, high: float) -> Tensor:
    """One number an image, (n, 1, 1)."""
    return torch.empty(len(x), 1, 1, device=x.device).uniform_(low, high)


def soft(inside: Tensor) -> Tensor:
    """1 where a signed distance is positive, 0 where negative, a soft step between."""
    return (inside / EDGE + 0.5).clamp(0, 1)


def draw_glasses(x: Tensor) -> Tensor:
    """Rims, bridge, temples, a tint and a reflection, on (n, 1, h, w) upright faces in 0..1.

    The eyes are taken to be where the crop of the training faces has them (`FACE_CROP`).
    """
    height, width = x.shape[2:]
    across = ((torch.arange(width, device=x.device) + 0.5) / width - 0.5).view(1, 1, -1)
    down = ((torch.arange(height, device=x.device) + 0.5) / height).view(1, -1, 1)
    across = across - drawn_between(x, -0.02, 0.02)
    down = down - FACE_CROP["eyes_height"] - drawn_between(x, -0.02, 0.04)
    rim, lens = shapes(x, across, down)
    shade = torch.where(torch.rand(len(x), 1, 1, device=x.device) < 0.8, 0.1, 0.75)
    face = x[:, 0]
    tinted = face * (1 - drawn_between(x, 0, 0.35) * lens)
    glare = lens * reflection(x, across, down)
    lit = tinted + (1 - tinted) * glare
    return lit.lerp(shade.expand_as(face), rim * drawn_between(x, 0.6, 1))[:, None]


def shapes(x: Tensor, across: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each pixel is frame, and how much lens, both (n, h, w) in 0..1."""
    half_width, half_height = drawn_between(x, *HALF_WIDTH), drawn_between(x, *HALF_HEIGHT)
    rim, power = drawn_between(x, *RIM), drawn_between(x, *ROUNDNESS)
    beside = across.abs() - FACE_CROP["eyes_apart"] / 2
    radius = (
        (beside.abs() / half_width) ** power + (down.abs() / half_height) ** power + 1e-9
    ) ** (1 / power)
    inside = (1 - radius) * half_height
    ring = soft(rim / 2 - inside.abs())
    bar = soft(rim / 2 - (down + half_height / 3).abs())
    between = soft(FACE_CROP["eyes_apart"] / 2 - half_width - across.abs())
    temples = soft(across.abs() - FACE_CROP["eyes_apart"] / 2 - half_width)
    return torch.maximum(ring, bar * torch.maximum(between, temples)), soft(inside)


def reflection(x: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """A slanting streak of light over both lenses, on a third of the images, (n, h, w)."""
    place, slope = drawn_between(x, -0.25, 0.25), drawn_between(x, -1, 1)
    strength = drawn_between(x, 0.2, 0.8) * (torch.rand(len(x), 1, 1, device=x.device) < 0.33)
    return strength * soft(0.04 - (across - place - slope * down).abs())
