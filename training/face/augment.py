"""What a webcam, a face detector and people do to a 48x48 face: batches (n, 1, h, w) in 0..1.

Every kind works on the whole batch, or on the rows that it chooses, in a few tensor operations.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from training.face.glasses import draw_glasses

# The spread of crops between detectors (measured): +-12 % scale, +-5 % shift; a little more here.
SCALE, SHIFT = 0.14, 0.07
# Standard deviation of the head's roll; the tails reach 30 degrees.
ROLL_DEGREES = 10.0
# How much nearer half of a half-turned face is stretched (the other is squeezed), at most.
HALF_TURN = 0.25
# How far a speaking mouth's lower half is drawn down or up, in shares of half the height.
JAW = 0.12
SIDE_LIGHT = 0.5
GLASSES_SHARE, BLUR_SHARE, SMALL_SHARE, MOTION_SHARE, JPEG_SHARE = 0.12, 0.3, 0.12, 0.08, 0.2


def uniform(x: Tensor, low: float, high: float) -> Tensor:
    """One number an image, (n, 1, 1, 1)."""
    return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high)


def chance(x: Tensor, share: float) -> Tensor:
    """True for about `share` of the images, (n, 1, 1, 1)."""
    return torch.rand(len(x), 1, 1, 1, device=x.device) < share


def sometimes(x: Tensor, share: float, kind: Callable[[Tensor], Tensor]) -> Tensor:
    """`kind` applied to about `share` of the images; the others cost nothing."""
    rows = torch.rand(len(x), device=x.device) < share
    if not rows.any():
        return x
    x = x.clone()
    x[rows] = kind(x[rows])
    return x


def axis(size: int, like: Tensor) -> Tensor:
    """The pixels' centres along an axis, -1..1, as `grid_sample` counts."""
    return (torch.arange(size, device=like.device) * 2 + 1) / size - 1


def move(x: Tensor) -> Tensor:
    """Flip, scale, shift, roll, half-turn and jaw in one bilinear resampling.

    The border repeats outside.
    """
    n, _, height, width = x.shape
    roll = torch.randn(n, 1, 1, device=x.device).clamp(-3, 3) * math.radians(ROLL_DEGREES)
    scale, aspect = uniform(x, 1 - SCALE, 1 + SCALE)[..., 0], uniform(x, 0.94, 1.06)[..., 0]
    flip = torch.where(torch.rand(n, 1, 1, device=x.device) < 0.5, -1.0, 1.0)
    shift = torch.empty(2, n, 1, 1, device=x.device).uniform_(-2 * SHIFT, 2 * SHIFT)
    down, across = axis(height, x).view(1, -1, 1), axis(width, x).view(1, 1, -1)
    u = scale * (aspect * across * roll.cos() - down * roll.sin()) + shift[0]
    v = scale * (aspect * across * roll.sin() + down * roll.cos()) + shift[1]
    turn = HALF_TURN * uniform(x, -1, 1)[..., 0] * chance(x, 0.4)[..., 0]
    jaw = JAW * uniform(x, -1, 1)[..., 0] * chance(x, 0.3)[..., 0]
    u = u * (1 + turn.abs() / 2) + turn * (1 - u * u) / 2
    v = v + jaw * (v - 0.2).clamp(0, 1) * (-2 * u * u).exp()
    grid = torch.stack([flip * u, v], 3)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def light(x: Tensor) -> Tensor:
    """Brightness, contrast, gamma, and light from one side."""
    x = x.clamp(0, 1) ** uniform(x, -0.35, 0.35).exp()
    mean = x.mean((2, 3), keepdim=True)
    x = (x - mean) * uniform(x, 0.75, 1.25) + mean + uniform(x, -0.12, 0.12)
    return sometimes(x, 0.25, side_light)


def side_light(x: Tensor) -> Tensor:
    """A shade that falls off in a straight line across the face, from any direction."""
    angle, strength = uniform(x, -math.pi, math.pi), uniform(x, 0, SIDE_LIGHT)
    down, across = axis(x.shape[2], x).view(1, 1, -1, 1), axis(x.shape[3], x).view(1, 1, 1, -1)
    return x * (1 + strength * (across * angle.cos() + down * angle.sin()))


def blur(x: Tensor) -> Tensor:
    """A soft lens: a 3x3 binomial blur."""
    line = torch.tensor([0.25, 0.5, 0.25], device=x.device)
    kernel = (line[:, None] * line)[None, None]
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), "replicate"), kernel)


def small(x: Tensor) -> Tensor:
    """A face far away, enlarged: a side of 16 to 32 px, the same for all of the batch."""
    side = int(torch.randint(16, 33, ()))
    shrunk = functional.interpolate(x, (side, side), mode="area")
    return functional.interpolate(shrunk, x.shape[2:], mode="bilinear", align_corners=False)


def motion(x: Tensor) -> Tensor:
    """A mouth that moves while the picture is taken: the lower half blurred up and down."""
    height = x.shape[2]
    padded = functional.pad(x, (0, 0, 2, 2), "replicate")
    smeared = functional.avg_pool2d(padded, (5, 1), stride=1)
    share = ((axis(height, x) - 0.1) * 4).clamp(0, 1).view(1, 1, -1, 1)
    return x.lerp(smeared, share)


def jpeg(x: Tensor) -> Tensor:
    """Quantise the 8x8 cosine blocks, as a compressed stream does."""
    i = torch.arange(8, device=x.device, dtype=x.dtype)
    basis = torch.cos((2 * i[None] + 1) * i[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    rows, columns = x.shape[2] // 8, x.shape[3] // 8
    blocks = x.reshape(-1, 1, rows, 8, columns, 8).transpose(3, 4)
    step = (uniform(x, 4, 16)[..., None, None] / 255) * (1 + 0.5 * (i[:, None] + i))
    coarse = (basis @ blocks @ basis.T / step).round() * step
    return (basis.T @ coarse @ basis).transpose(3, 4).reshape(x.shape)


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
    x = light(move(sometimes(x, GLASSES_SHARE, draw_glasses)))
    x = sometimes(sometimes(x, SMALL_SHARE, small), BLUR_SHARE, blur)
    x = sometimes(sometimes(x, MOTION_SHARE, motion), JPEG_SHARE, jpeg)
    return cutout(noise(x)).clamp(0, 1)
