"""The TFLite interpreter: the only file that imports one. Knows tensors, not what they mean."""

import contextlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.inference.card import Card, ModelError, check_fit, load_card
from edge.runtime.process import quiet_stderr

# In order of preference: ai-edge-litert runs int8 about 20 times faster (XNNPACK).
RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


def import_runtime(runtime: str | None) -> tuple[str, Any]:
    """The named runtime's module, or the first that is installed. Raises ModelError."""
    for name in [runtime] if runtime else RUNTIMES:
        with contextlib.suppress(ImportError):
            return name, importlib.import_module(RUNTIMES[name])
    wanted = runtime or next(iter(RUNTIMES))
    raise ModelError(f"{wanted} is not installed: pip install {wanted}")


def only_int8(tensors: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    """The details of the only tensor, int8 with its scale. Raises ModelError."""
    scale = tensors[0]["quantization"][0]
    if len(tensors) != 1 or tensors[0]["dtype"] is not np.int8 or not scale:
        raise ModelError(f"{path}: needs one int8 input and one int8 output (full-int8 conversion)")
    return tensors[0]


class Interpreter:
    """One full-int8 network with one input and one output.

    Raises ModelError if the file is not a TFLite model, or not one of that kind.
    """

    def __init__(self, path: Path, threads: int = 1, runtime: str | None = None) -> None:
        self.runtime, module = import_runtime(runtime)
        try:
            with quiet_stderr():  # it announces XNNPACK
                self._interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: not a TFLite model that {self.runtime} can run") from error
        self._input = only_int8(self._interpreter.get_input_details(), path)
        self._output = only_int8(self._interpreter.get_output_details(), path)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The input's shape without the batch of one."""
        return tuple(int(n) for n in self._input["shape"][1:])

    @property
    def output_size(self) -> int:
        """How many values a call returns."""
        return int(np.prod(self._output["shape"]))

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """One inference: float32 of `input_shape` in, float32 (output_size,) out."""
        scale, zero = self._input["quantization"]
        quantised = np.clip(np.rint(x / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._input["index"], quantised[np.newaxis])
        self._interpreter.invoke()
        scale, zero = self._output["quantization"]
        values = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
        return np.asarray((values.astype(np.float32) - zero) * scale, np.float32)


def open_model(
    model: Path, kind: str, threads: int = 1, runtime: str | None = None
) -> tuple[Card, Interpreter]:
    """A model of `kind` with its card, each checked against the other. Raises ModelError."""
    card = load_card(model)
    interpreter = Interpreter(model, threads, runtime)
    check_fit(card, kind, interpreter.input_shape, interpreter.output_size, model)
    return card, interpreter
