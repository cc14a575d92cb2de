"""Inputs of a model, and what the TFLM interpreter makes of them."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter

MAX_CASES, MIN_CASES = 4, 2
# They lie in flash, beside the model.
MAX_BYTES = 32 * 1024
_SEED = 0


@dataclasses.dataclass(frozen=True)
class GoldenCases:
    """Some runs of a model.

    Attributes:
        inputs: int8 array of shape `(num_cases, input_size)`.
        outputs: int8 array of shape `(num_cases, output_size)`.
        arena_bytes: What the interpreter used of its arena, on this machine.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    arena_bytes: int


def golden_cases(model_content: bytes) -> GoldenCases:
    """Runs random inputs in the official TFLM interpreter.

    Args:
        model_content: Bytes of a `.tflite` with int8 input and output.

    Raises:
        ConversionError: If input or output is of another type, or the file
            does not run.
    """
    rng = np.random.default_rng(_SEED)
    with Interpreter(model_content) as interpreter:
        size = math.prod(interpreter.input_shape)
        _require_int8("input", interpreter.input_dtype)
        num_cases = min(max(MAX_BYTES // size, MIN_CASES), MAX_CASES)
        shape = (num_cases, *interpreter.input_shape[1:])
        inputs = rng.integers(-128, 128, shape).astype(np.int8)
        # The first is quiet: a model may answer noise always the same way.
        inputs[0] //= 16
        outputs = interpreter.predict(inputs)
        _require_int8("output", outputs.dtype)
        arena_bytes = interpreter.arena_used_bytes or 0
    outputs = outputs.reshape(num_cases, -1)
    if (outputs == outputs[0]).all():
        warnings.warn(
            f"All {num_cases} golden outputs are equal, so that the self-test "
            "shows little: does the model answer everything the same way?",
            stacklevel=3,
        )
    return GoldenCases(inputs.reshape(num_cases, -1), outputs, arena_bytes)


def _require_int8(name: str, dtype: np.dtype) -> None:
    if dtype != np.int8:
        raise ConversionError(
            f"Expected a model with int8 {name}. Received: {dtype}. Convert "
            "it with `inference_input_type` and `inference_output_type` int8, "
            "which is the default."
        )
