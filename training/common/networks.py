"""The networks, in PyTorch: float in, logits out, made only of what converts to full int8."""

import numpy as np
import torch
from scipy.fft import idct
from torch import Tensor, fx, nn

Size = tuple[int, int]


def convolution(
    inputs: int, outputs: int, kernel: Size, stride: Size = (1, 1), groups: int = 1
) -> nn.Sequential:
    """A padded convolution without bias, then batch normalisation (folded at conversion)."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, the basic block)."""

    def __init__(self, inputs: int, outputs: int, kernel: Size, stride: Size = (1, 1)) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, kernel, stride)
        self.second = convolution(outputs, outputs, kernel)
        same = inputs == outputs and stride == (1, 1)
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, (1, 1), stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(y + self.shortcut(x))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel alone, narrow (Sandler et al. 2018, MobileNetV2's block)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, widening: int = 4) -> None:
        super().__init__()
        inner = widening * inputs
        self.widen = convolution(inputs, inner, (1, 1))
        self.depthwise = convolution(inner, inner, (3, 3), (stride, stride), groups=inner)
        self.narrow = convolution(inner, outputs, (1, 1))
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(torch.relu(self.depthwise(torch.relu(self.widen(x)))))
        return x + y if self.shortcut else y


class FaceNet(nn.Module):
    """A dense residual network, (n, 1, 48, 48) -> (n, outputs) logits; it strides at once.

    Dense convolutions rather than depthwise ones: faster to train on a CPU, and safe to quantise.
    `depth` is the number of blocks that keep the size at 24x24 and at 12x12.
    """

    def __init__(self, outputs: int, width: int = 32, depth: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = convolution(1, width, (5, 5), (2, 2))
        self.body = nn.Sequential(
            *(ResidualBlock(width, width, (3, 3)) for _ in range(depth)),
            ResidualBlock(width, 3 * width, (3, 3), (2, 2)),
            *(ResidualBlock(3 * width, 3 * width, (3, 3)) for _ in range(depth)),
            ResidualBlock(3 * width, 6 * width, (3, 3), (2, 2)),
            *(ResidualBlock(6 * width, 6 * width, (3, 3)) for _ in range(depth - 1)),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(6 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(torch.relu(self.stem(x)))
        return self.classifier(self.dropout(x.mean((2, 3))))


class FaceMobileNet(nn.Module):
    """Inverted residuals in MobileNetV2's manner, (n, 1, 48, 48) -> (n, outputs) logits."""

    def __init__(self, outputs: int, width: int = 24, depth: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = convolution(1, width, (3, 3), (2, 2))
        self.body = nn.Sequential(
            *(InvertedResidual(width, width) for _ in range(depth - 1)),
            InvertedResidual(width, 2 * width, stride=2),
            *(InvertedResidual(2 * width, 2 * width) for _ in range(depth)),
            InvertedResidual(2 * width, 4 * width, stride=2),
            *(InvertedResidual(4 * width, 4 * width) for _ in range(depth)),
        )
        self.head = convolution(4 * width, 16 * width, (1, 1))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(16 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(self.body(torch.relu(self.stem(x)))))
        return self.classifier(self.dropout(x.mean((2, 3))))


FACE_NETWORKS = {"residual": FaceNet, "mobile": FaceMobileNet}


class VoiceNet(nn.Module):
    """A residual network along time, (n, values, 1, frames) -> (n, labels) logits.

    The time axis is kept to the end, where each channel's mean and maximum over the window speak.
    """

    def __init__(self, labels: int, values: int, width: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = convolution(values, 2 * width, (1, 5))
        self.body = nn.Sequential(
            ResidualBlock(2 * width, 2 * width, (1, 3), (1, 2)),
            ResidualBlock(2 * width, 3 * width, (1, 3), (1, 2)),
            ResidualBlock(3 * width, 3 * width, (1, 3)),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(6 * width, labels)

    def pooled(self, x: Tensor) -> Tensor:
        """Each channel's mean and maximum over the window, (n, 6 * width)."""
        x = self.body(torch.relu(self.stem(x)))
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.pooled(x)))


def planes(x: Tensor) -> Tensor:
    """Two vectors a frame, one under the other, as two planes over pitch and time.

    (n, 2 * height, 1, frames) -> (n, 2, height, frames)
    """
    return x.reshape(x.shape[0], 2, x.shape[1] // 2, x.shape[3])


def masked_pitch(x: Tensor) -> Tensor:
    """SpecAugment's other masks (Park et al. 2019): each sample loses up to 8 rows somewhere."""
    height = torch.arange(x.shape[2], device=x.device)
    first = torch.randint(x.shape[2], (len(x), 1), device=x.device)
    lost = (height >= first) & (height < first + torch.randint_like(first, 9))
    return x.masked_fill(lost[:, None, :, None], 0)


def pool_time(x: Tensor) -> Tensor:
    """Mean and maximum over time, (n, channels, height, frames) -> (n, height * 2 * channels)."""
    return torch.cat([x.mean(3), x.amax(3)], 1).transpose(1, 2).flatten(1)


def flat(x: Tensor) -> Tensor:
    """(n, channels, height, 1) -> (n, height * channels)."""
    return x[..., 0].transpose(1, 2).flatten(1)


# Leaves of the traced graph: `training.common.to_tflite` has them for its own order of axes.
fx.wrap("flat")
fx.wrap("planes")
fx.wrap("pool_time")


class VoiceImageNet(nn.Module):
    """A residual network over pitch and time, (n, values, 1, frames) -> (n, labels) logits.

    A learned map per frame, which begins as the inverse of MFCC's cosine transform, makes log-mel
    energies of the cepstra and of their deltas again: there a higher voice is the same picture a
    little further up. The pitch axis is kept to the end; each of its rows has mean and maximum.
    """

    def __init__(self, labels: int, values: int, width: int = 32, dropout: float = 0.3) -> None:
        super().__init__()
        self.mel = nn.Conv2d(values, values, 1)
        self.stem = convolution(2, width, (5, 5), (2, 2))
        self.body = nn.Sequential(
            ResidualBlock(width, width, (3, 3)),
            ResidualBlock(width, 2 * width, (3, 3), (2, 2)),
            ResidualBlock(2 * width, 4 * width, (3, 3), (2, 2)),
        )
        self.dropout = nn.Dropout(dropout)
        rows = -(-values // 2 // 8)
        self.classifier = nn.Linear(2 * 4 * width * rows, labels)

    def begin(self, mean: Tensor, std: Tensor) -> None:
        """Let `mel` undo the normalisation and the transform; (values,) each, as on the card."""
        half = len(mean) // 2
        transform = torch.from_numpy(idct(np.eye(half), norm="ortho", axis=0)).float()
        both = torch.block_diag(transform, transform)
        scale = (both @ torch.diag(std)).square().sum(1).sqrt()[:, None]
        with torch.no_grad():
            self.mel.weight.copy_((both * std / scale)[:, :, None, None])
            self.mel.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        x = planes(self.mel(x))
        if self.training:
            x = masked_pitch(x)
        x = self.body(torch.relu(self.stem(x)))
        return self.classifier(self.dropout(pool_time(x)))


class VoiceMeanNet(nn.Module):
    """The desktop script's kind of network: features averaged over time, then a small CNN.

    (n, values, 1, frames) -> (n, labels) logits; it convolves along the coefficients.
    """

    def __init__(self, labels: int, values: int, width: int = 32, dropout: float = 0.3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(2, width, (5, 1)),
            nn.ReLU(),
            convolution(width, 2 * width, (5, 1), (2, 1)),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * width * (values // 4), labels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(planes(x.mean((3,), keepdim=True)))
        return self.classifier(self.dropout(flat(x)))


VOICE_NETWORKS = {"time": VoiceNet, "image": VoiceImageNet, "mean": VoiceMeanNet}
