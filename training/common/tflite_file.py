"""What a .tflite file costs, and what its float twin answers. Not for the device."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.inference.interpreter import import_runtime, quiet_stderr

CONVOLUTIONS = ("CONV_2D", "FULLY_CONNECTED")


def opened(path: Path) -> Any:
    """The runtime's own interpreter of a file of any kind."""
    with quiet_stderr():
        interpreter = import_runtime(None)[1].Interpreter(model_path=str(path), num_threads=2)
        interpreter.allocate_tensors()
    return interpreter


def multiply_adds(path: Path) -> int:
    """Of one inference: a convolution's output values times the weights that each is a sum of."""
    interpreter = opened(path)
    shapes = {t["index"]: t["shape"] for t in interpreter.get_tensor_details()}
    total = 0
    for step in interpreter._get_ops_details():
        if step["op_name"] in CONVOLUTIONS:
            total += np.prod(shapes[step["outputs"][0]]) * np.prod(shapes[step["inputs"][1]][1:])
        elif step["op_name"] == "DEPTHWISE_CONV_2D":
            total += np.prod(shapes[step["outputs"][0]]) * np.prod(shapes[step["inputs"][1]][1:3])
    return int(total)


class FloatModel:
    """A network before int8: normalised float32 in, logits (n labels,) out."""

    def __init__(self, path: Path) -> None:
        self._interpreter = opened(path)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], x[None])
        self._interpreter.invoke()
        output = self._interpreter.get_output_details()[0]["index"]
        return np.asarray(self._interpreter.get_tensor(output)).reshape(-1)
