"""The networks, in PyTorch: float in, logits out, made only of what converts to full int8."""

import torch
from torch import Tensor, nn

Size = tuple[int, int]


def convolution(inputs: int, outputs: int, kernel: Size, stride: Size = (1, 1)) -> nn.Sequential:
    """A padded convolution without bias, then batch normalisation (folded at conversion)."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
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


class FaceNet(nn.Module):
    """A dense residual network, (n, 1, 48, 48) -> (n, 7) logits; cheap, as it strides at once.

    Dense convolutions rather than depthwise ones: faster to train on a CPU, and safe to quantise.
    """

    def __init__(self, labels: int = 7, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = convolution(1, width, (5, 5), (2, 2))
        self.body = nn.Sequential(
            ResidualBlock(width, width, (3, 3)),
            ResidualBlock(width, 3 * width, (3, 3), (2, 2)),
            ResidualBlock(3 * width, 3 * width, (3, 3)),
            ResidualBlock(3 * width, 6 * width, (3, 3), (2, 2)),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(6 * width, labels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(torch.relu(self.stem(x)))
        return self.classifier(self.dropout(x.mean((2, 3))))


class VoiceNet(nn.Module):
    """A residual network along time, (n, values, 1, frames) -> (n, 8) logits.

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

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(torch.relu(self.stem(x)))
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return self.classifier(self.dropout(pooled))
