"""A frozen speech encoder as a teacher: the Whisper-tiny encoder inside Smart Turn v3.2.

Smart Turn (BSD-2, in the PyPI wheel `pipecat-ai`) says whether a speaker has finished; its encoder
was trained on speech recognition first. What its middle layers tell of a window, their means and
deviations over time, carries much of the emotion. It is used in training alone, never on a device.
Its weights are int8 in the ONNX file; here they are floats again.
"""

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.fft import rfft
from torch import Tensor, nn
from torch.nn import functional

Arrays = dict[str, NDArray[np.float32]]

CHANNELS, LAYERS, HEADS, FILTERS = 384, 4, 6, 80
RATE_HZ, FRAME, HOP = 16_000, 400, 160
EMBEDDING = 2 * CHANNELS
"""Values that one layer tells of a window."""


def _slaney_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hertz to mels as Slaney's Auditory Toolbox has them: linear below 1 kHz."""
    log_part = 15 + np.log(np.maximum(frequency_hz, 1000) / 1000) * 27 / np.log(6.4)
    return np.where(frequency_hz < 1000, frequency_hz * 3 / 200, log_part)


@cache
def _filters() -> NDArray[np.float32]:
    """(201, 80): Whisper's triangular filters from 0 to 8 kHz, each of the same area."""
    bins_hz = np.linspace(0, RATE_HZ / 2, FRAME // 2 + 1)
    grid_hz = np.linspace(0, RATE_HZ / 2, 100_001)
    edges = np.linspace(0, _slaney_mel(np.array(RATE_HZ / 2)), FILTERS + 2)
    edges_hz = np.interp(edges, _slaney_mel(grid_hz), grid_hz)
    width = np.diff(edges_hz)
    slopes = edges_hz[None] - bins_hz[:, None]
    rising, falling = -slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]
    area = 2 / (edges_hz[2:] - edges_hz[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)


def log_mel(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sounds (n, samples) at 16 kHz to Whisper's input (n, 80, samples / 160), about -1..1."""
    scaled = windows - windows.mean(1, keepdims=True)
    scaled /= np.sqrt(scaled.var(1, keepdims=True) + 1e-7)
    padded = np.pad(scaled, ((0, 0), (FRAME // 2, FRAME // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME, 1)[:, ::HOP][:, :-1]
    spectrum = rfft(frames * np.hanning(FRAME + 1)[:-1].astype(np.float32))
    power = (spectrum.real**2 + spectrum.imag**2) @ _filters()
    logs = np.log10(np.maximum(power, 1e-10))
    logs = np.maximum(logs, logs.max((1, 2), keepdims=True) - 8)
    return ((logs + 4) / 4).transpose(0, 2, 1)


def _arrays(path: Path) -> tuple[Arrays, list[NDArray[np.float32]]]:
    """The file's named weights, and the constant matrices in the order in which they multiply."""
    graph = onnx.load(path).graph
    raw = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = {name: a for name, a in raw.items() if a.dtype == np.float32}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in raw:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            found[node.output[0]] = dequantised(*(raw[name] for name in node.input), axis)
    products = [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in found]
    return found, [found[n.input[1]] for n in products]


def dequantised(
    values: NDArray[np.int8], scale: NDArray[np.float32], zero: NDArray[np.int8], axis: int
) -> NDArray[np.float32]:
    """(values - zero) * scale, with one scale for all or one for each place along `axis`."""
    shape = [1] * values.ndim
    if scale.ndim:
        shape[min(axis, values.ndim - 1)] = -1
    offset = values.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    return offset * scale.reshape(shape)


class Layer(nn.Module):
    """A transformer layer whose normalisation comes first (Radford et al. 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS)
        self.value, self.query = nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.key, self.out = nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.wide = nn.Linear(CHANNELS, 4 * CHANNELS)
        self.narrow = nn.Linear(4 * CHANNELS, CHANNELS)

    def heads(self, x: Tensor) -> Tensor:
        """(n, time, channels) to (n, heads, time, channels / heads)."""
        return x.unflatten(2, (HEADS, -1)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention_norm(x)
        parts = (self.heads(part(y)) for part in (self.query, self.key, self.value))
        found = functional.scaled_dot_product_attention(*parts)
        x = x + self.out(found.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.wide(self.norm(x))))


class Encoder(nn.Module):
    """Whisper tiny's encoder, (n, 80, frames) -> the output of the stem and of each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(FILTERS, CHANNELS, 3, padding=1)
        self.second = nn.Conv1d(CHANNELS, CHANNELS, 3, 2, padding=1)
        self.places = nn.Parameter(torch.zeros(400, CHANNELS))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Each (n, frames / 2, channels). The window takes the last places, as in Smart Turn."""
        x = functional.gelu(self.second(functional.gelu(self.first(x)))).transpose(1, 2)
        found = [x + self.places[-x.shape[1] :]]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found

    @torch.no_grad()
    def embeddings(self, windows: NDArray[np.float32]) -> NDArray[np.float16]:
        """(n, LAYERS + 1, EMBEDDING): means and deviations over time of sounds (n, samples)."""
        outputs = torch.stack(self(torch.from_numpy(log_mel(windows))), 1).float()
        return torch.cat([outputs.mean(2), outputs.std(2)], 2).half().numpy()


def read_encoder(path: Path) -> Encoder:
    """The encoder of a `smart-turn-v3.2-cpu.onnx`. Raises SystemExit where there is none."""
    if not path.exists():
        raise SystemExit(f"{path}: not there; it lies in the PyPI wheel pipecat-ai")
    named, products = _arrays(path)
    encoder = Encoder()
    weights = {"places": named["inner.encoder.embed_positions.weight"]}
    for ours, theirs in (("first", "conv1"), ("second", "conv2")):
        weights[f"{ours}.weight"] = named[f"inner.encoder.{theirs}.weight_DequantizeLinear_Output"]
        weights[f"{ours}.bias"] = named[f"inner.encoder.{theirs}.bias"]
    for number in range(LAYERS):
        weights |= _layer(number, named, products[6 * number : 6 * number + 6])
    state = {name: torch.from_numpy(np.array(w)) for name, w in weights.items()}
    encoder.load_state_dict(
        state | {k: v for k, v in encoder.state_dict().items() if k not in state}
    )
    return encoder.eval()


def _layer(number: int, named: Arrays, products: list[NDArray[np.float32]]) -> Arrays:
    """One layer's weights by our names.

    `products`: the matrices key, query, value, out, wide, narrow, in this order.
    """
    prefix = f"inner.encoder.layers.{number}"
    names = {
        "key": "",
        "query": "self_attn.q_proj",
        "value": "self_attn.v_proj",
        "out": "self_attn.out_proj",
        "wide": "fc1",
        "narrow": "fc2",
    }
    found: Arrays = {}
    for (ours, theirs), matrix in zip(names.items(), products, strict=True):
        found[f"layers.{number}.{ours}.weight"] = matrix.T
        bias = named[f"{prefix}.{theirs}.bias"] if theirs else np.zeros(CHANNELS, np.float32)
        found[f"layers.{number}.{ours}.bias"] = bias
    for ours, theirs in (("attention_norm", "self_attn_layer_norm"), ("norm", "final_layer_norm")):
        for part in ("weight", "bias"):
            found[f"layers.{number}.{ours}.{part}"] = named[f"{prefix}.{theirs}.{part}"]
    return found
