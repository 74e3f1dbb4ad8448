"""A PyTorch network to a full-int8 TFLite file, through TensorFlow's converter.

The traced graph (batch normalisation folded into the convolutions) is executed once more with
TensorFlow's operations in NHWC; from that the converter makes int8 weights per channel, int8
activations, int8 in and out: the kind of file that both TFLite runtimes run.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from training.common.networks import flat, planes, pool_time

# PyTorch's axes (n, channels, h, w) in TensorFlow's order (n, h, w, channels).
AXES = {1: 3, 2: 1, 3: 2}


def array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().numpy()


def convolve(layer: nn.Conv2d, x: Any) -> Any:
    """A convolution with PyTorch's padding, which for stride 2 is not TensorFlow's SAME.

    Its groups are one, or one a channel.
    """
    high, wide = layer.padding
    if high or wide:
        x = tf.pad(x, [[0, 0], [high, high], [wide, wide], [0, 0]])
    if layer.groups == 1:
        x = tf.nn.conv2d(x, array(layer.weight.permute(2, 3, 1, 0)), layer.stride, "VALID")
    else:
        kernel = array(layer.weight.permute(2, 3, 0, 1))
        x = tf.nn.depthwise_conv2d(x, kernel, [1, *layer.stride, 1], "VALID")
    return x if layer.bias is None else x + array(layer.bias)


def linear(layer: nn.Linear, x: Any) -> Any:
    return tf.matmul(x, array(layer.weight.T)) + array(layer.bias)


def mean(x: Any, axes: tuple[int, ...], keepdim: bool = False) -> Any:
    return tf.reduce_mean(x, [AXES[axis] for axis in axes], keepdim)


def maximum(x: Any, axes: tuple[int, ...]) -> Any:
    return tf.reduce_max(x, [AXES[axis] for axis in axes])


def concatenate(parts: list[Any], axis: int) -> Any:
    """Along the channels of pooled (n, channels) values, where both layouts agree."""
    return tf.concat(parts, axis)


def planes_nhwc(x: Any) -> Any:
    """`networks.planes`: (n, 1, frames, 2 * height) -> (n, height, frames, 2)."""
    _, _, frames, values = x.shape
    return tf.transpose(tf.reshape(x, [1, frames, 2, values // 2]), [0, 3, 1, 2])


def flat_nhwc(x: Any) -> Any:
    """`networks.flat`: (n, height, 1, channels) -> (n, height * channels)."""
    return tf.reshape(x, [1, x.shape[1] * x.shape[3]])


def pool_time_nhwc(x: Any) -> Any:
    """`networks.pool_time`: (n, height, frames, channels) -> (n, height * 2 * channels)."""
    pooled = tf.concat([tf.reduce_mean(x, 2), tf.reduce_max(x, 2)], 2)
    return tf.reshape(pooled, [1, pooled.shape[1] * pooled.shape[2]])


def rectify(_: nn.Module, x: Any) -> Any:
    return tf.nn.relu(x)


def same(_: nn.Module, x: Any) -> Any:
    return x


LAYERS: dict[type[nn.Module], Callable[..., Any]] = {
    nn.Conv2d: convolve,
    nn.Linear: linear,
    nn.Identity: same,
    nn.ReLU: rectify,
    nn.Dropout: same,
}
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    torch.relu: tf.nn.relu,
    torch.cat: concatenate,
    operator.add: tf.add,
    flat: flat_nhwc,
    planes: planes_nhwc,
    pool_time: pool_time_nhwc,
    "mean": mean,
    "amax": maximum,
}


class Rebuild(fx.Interpreter):
    """Runs a traced PyTorch graph with TensorFlow's operations."""

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        layer = self.fetch_attr(target)
        return LAYERS[type(layer)](layer, *args, **kwargs)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return FUNCTIONS[target](*args, **kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        return FUNCTIONS[target](*args, **kwargs)


def nhwc(x: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())


def rebuild(network: nn.Module, sample: Tensor) -> Any:
    """The network as a TensorFlow function of one NHWC input. Raises RuntimeError if it differs."""
    graph = fuse(network.eval())
    shape = [1, *nhwc(sample).shape[1:]]
    function = tf.function(
        lambda x: Rebuild(graph).run(x), input_signature=[tf.TensorSpec(shape, tf.float32)]
    ).get_concrete_function()
    with torch.no_grad():
        wanted = network(sample).numpy()
    given = np.concatenate([function(tf.constant(nhwc(row[None]))).numpy() for row in sample])
    if not np.allclose(wanted, given, atol=1e-3):
        raise RuntimeError(f"the rebuilt network differs by {np.abs(wanted - given).max():.4f}")
    return function


def int8(rebuilt: Any, calibration: Tensor) -> bytes:
    """Full-int8 TFLite; ranges are those that `calibration` (n, c, h, w) shows."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([rebuilt], tf.Module())

    def examples() -> Iterator[list[NDArray[np.float32]]]:
        for row in calibration:
            yield [nhwc(row[None])]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def float16(rebuilt: Any) -> bytes:
    """TFLite with weights in half precision: what int8 is compared with."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([rebuilt], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()
