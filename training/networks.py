"""The networks, in PyTorch: float in, logits out, made only of what converts to full int8."""

import torch
from torch import Tensor, nn

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
