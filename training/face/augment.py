"""What a webcam and a face detector do to a 48x48 face: batches of (n, 1, h, w) in 0..1."""

import math

import torch
from torch import Tensor
from torch.nn import functional

# The spread of crops between detectors (measured): +-12 % scale, +-5 % shift; a little more here.
SCALE, SHIFT, TURN_DEGREES = 0.14, 0.07, 12.0


def uniform(x: Tensor, low: float, high: float) -> Tensor:
    """One number an image, (n, 1, 1, 1)."""
    return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high)


def chance(x: Tensor, share: float) -> Tensor:
    """True for about `share` of the images, (n, 1, 1, 1)."""
    return torch.rand(len(x), 1, 1, 1, device=x.device) < share


def move(x: Tensor) -> Tensor:
    """Flip, scale, shift and turn in one bilinear resampling; the border repeats outside."""
    n = len(x)
    turn = uniform(x, -TURN_DEGREES, TURN_DEGREES).view(n) * math.pi / 180
    scale = uniform(x, 1 - SCALE, 1 + SCALE).view(n)
    aspect = uniform(x, 0.94, 1.06).view(n)
    flip = torch.where(torch.rand(n, device=x.device) < 0.5, -1.0, 1.0)
    shift = torch.empty(n, 2, device=x.device).uniform_(-2 * SHIFT, 2 * SHIFT)
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = flip * scale * aspect * turn.cos()
    theta[:, 0, 1] = -scale * turn.sin()
    theta[:, 1, 0] = flip * scale * aspect * turn.sin()
    theta[:, 1, 1] = scale * turn.cos()
    theta[:, :, 2] = shift
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def light(x: Tensor) -> Tensor:
    """Brightness, contrast and gamma."""
    x = x.clamp(0, 1) ** uniform(x, -0.35, 0.35).exp()
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * uniform(x, 0.75, 1.25) + mean + uniform(x, -0.12, 0.12)


def blur(x: Tensor) -> Tensor:
    """A small camera far away: a soft 3x3 binomial blur of a third of the images."""
    line = torch.tensor([0.25, 0.5, 0.25], device=x.device)
    soft = functional.conv2d(
        functional.pad(x, (1, 1, 1, 1), "replicate"), (line[:, None] * line)[None, None]
    )
    return torch.where(chance(x, 0.33), soft, x)


def jpeg(x: Tensor) -> Tensor:
    """Quantise the 8x8 cosine blocks of a fifth of the images, as a compressed stream does."""
    i = torch.arange(8, device=x.device, dtype=x.dtype)
    basis = torch.cos((2 * i[None] + 1) * i[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    rows, columns = x.shape[2] // 8, x.shape[3] // 8
    blocks = x.reshape(-1, 1, rows, 8, columns, 8).transpose(3, 4)
    step = (uniform(x, 4, 16)[..., None, None] / 255) * (1 + 0.5 * (i[:, None] + i))
    coarse = (basis @ blocks @ basis.T / step).round() * step
    quantised = (basis.T @ coarse @ basis).transpose(3, 4).reshape(x.shape)
    return torch.where(chance(x, 0.2), quantised, x)


def noise(x: Tensor) -> Tensor:
    """Sensor noise of up to 6 grey levels."""
    return x + torch.randn_like(x) * uniform(x, 0, 6 / 255)


def cutout(x: Tensor) -> Tensor:
    """A grey rectangle, up to 40 % of each side, over half the images (DeVries & Taylor 2017)."""
    n, _, h, w = x.shape
    centre, size = torch.rand(n, 2, 1, device=x.device), torch.rand(n, 2, 1, device=x.device) * 0.2
    y = (torch.arange(h, device=x.device)[None] / h - centre[:, 0]).abs() < size[:, 0]
    across = (torch.arange(w, device=x.device)[None] / w - centre[:, 1]).abs() < size[:, 1]
    hole = (y[:, None, :, None] & across[:, None, None, :]) & chance(x, 0.5)
    return torch.where(hole, x.mean((2, 3), keepdim=True), x)


def augment(x: Tensor) -> Tensor:
    """All of the above; (n, 1, h, w) in 0..1 before and after, h and w multiples of 8."""
    return cutout(noise(jpeg(blur(light(move(x)))))).clamp(0, 1)
