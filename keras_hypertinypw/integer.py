"""The integer definition of synthesis.

`tflm_ops/generate_pw.cc` mirrors this file function for function, and
`fake_quant.py` emulates it in float32. Tolerance between the three: zero.
"""

from __future__ import annotations

import numpy as np

from keras_hypertinypw.spec import DenseSpec, GeneratorSpec, PointwiseSpec


def rounding_right_shift(value: np.ndarray, shift: int) -> np.ndarray:
    """Divides by `2**shift`, rounding to nearest, ties towards +infinity.

    Args:
        value: int32 array, `|value| < 2**30`.
        shift: Integer in `[1, 24]`.
    """
    return (value + (1 << (shift - 1))) >> shift


def accumulate(inputs: np.ndarray, layer: DenseSpec) -> np.ndarray:
    """Returns int32 accumulators `(num_blocks, num_out)` of a dense layer."""
    bias = layer.bias.astype(np.int32) * (1 << layer.bias_shift)
    return inputs @ layer.weights.astype(np.int32).T + bias


def requantize(acc: np.ndarray, shift: int, low: int) -> np.ndarray:
    """Shifts accumulators down and clamps them to `[low, 127]`."""
    return np.clip(rounding_right_shift(acc, shift), low, 127)


def generate_blocks(codes: np.ndarray, generator: GeneratorSpec) -> np.ndarray:
    """Runs the generator.

    Args:
        codes: int32 array of shape `(num_blocks, code_dim)`.
        generator: The generator.

    Returns:
        int8 array of shape `(num_blocks, block_size)`, in `[-127, 127]`.
    """
    hidden = codes.astype(np.int32)
    for layer in generator.layers[:-1]:
        hidden = requantize(accumulate(hidden, layer), layer.shift, 0)
    last = generator.layers[-1]
    acc = accumulate(hidden, last)
    if generator.skip_weights is not None:
        skip = (
            codes.astype(np.int32) @ generator.skip_weights.astype(np.int32).T
        )
        acc = acc + skip * (1 << generator.skip_shift)
    return requantize(acc, last.shift, -127).astype(np.int8)


def synthesize(spec: PointwiseSpec) -> np.ndarray:
    """Returns the int8 kernel of a layer, of shape `spec.kernel_shape`."""
    blocks = generate_blocks(spec.codes, spec.generator)
    weights = blocks.reshape(-1)[: spec.num_weights]
    rows = weights.reshape(spec.rows, -1)
    signed = np.where(spec.row_signs[:, None], -rows, rows)
    return signed.reshape(spec.kernel_shape)
