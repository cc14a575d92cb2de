"""Float emulation of `integer.py` with straight-through gradients.

Every value here is an integer, or an integer times a power of two, held in
float32. As long as accumulators stay below 2**24 (`GeneratorSpec` checks)
each operation is exact, so this file and `integer.py` agree bit for bit.
Rounding is `floor(x + 0.5)`: ties towards +infinity, as TensorFlow's own
FakeQuant; `tf.round` would send them to even.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_hypertinypw.spec import MAX_BIAS_SHIFT, MAX_SKIP_SHIFT

# A step is 2**-exponent. The ranges fit values of unit variance: codes
# [-1, 1], [-1.5, 1.5], [-3.75, 3.75], [-3.97, 3.97]; hidden units up to 7.9;
# outputs up to 3.97.
CODE_EXPONENT = {1: 0, 2: 1, 4: 2, 8: 5}
HIDDEN_EXPONENT = 4
OUTPUT_EXPONENT = 5
# Codes are learned as their levels times 2**-5, whatever their bits, so that
# Adam, at its usual rates, goes from a level to the next in some tens of steps.
LEARNED_EXPONENT = 5
MAX_WEIGHT_EXPONENT = 14


class QuantizedDense(NamedTuple):
    """One dense layer as `DenseSpec`, in float32 tensors with gradients."""

    weights: tf.Tensor  # (num_in, num_out)
    bias: tf.Tensor  # (num_out,)
    bias_shift: tf.Tensor
    shift: tf.Tensor


class QuantizedSkip(NamedTuple):
    """The linear skip as in `GeneratorSpec`."""

    weights: tf.Tensor  # (code_dim, block_size)
    shift: tf.Tensor


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def floor_through(value):
    """Rounds down; the gradient passes unchanged."""

    def gradient(upstream):
        return upstream

    return tf.floor(value), gradient


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def clip_inwards(value, limit):
    """Clips to `[-limit, limit]`; gradients that would lead further stop."""

    def gradient(upstream):
        # What is beyond may come back.
        passes = (tf.abs(value) <= limit) | (upstream * value > 0)
        return tf.where(passes, upstream, 0.0), None

    return tf.clip_by_value(value, -limit, limit), gradient


def round_half_up(value):
    """Rounds to nearest, ties towards +infinity; the gradient passes."""
    return floor_through(value + 0.5)


def power_of_two(exponent):
    """Returns exactly `2**exponent` for a float32 tensor of integers."""
    bits = (tf.cast(exponent, tf.int32) + 127) * (1 << 23)
    return tf.bitcast(bits, tf.float32)


def largest_exponent(values, low, high):
    """Returns the largest `e` with `max|values| * 2**e <= 127`.

    It lies in `[low, high]`; if even `low` is too large, values saturate.
    Only comparisons, so that every device finds the same exponent.

    Args:
        values: float32 tensor.
        low: Integer.
        high: Integer or scalar float32 tensor of an integer value.
    """
    limits = np.float32(127) / np.exp2(
        np.arange(low, MAX_WEIGHT_EXPONENT + 10)
    ).astype(np.float32)
    fits = tf.reduce_max(tf.abs(values)) <= limits
    count = tf.reduce_sum(tf.cast(fits, tf.float32))
    exponent = float(low) + tf.maximum(count, 1.0) - 1.0
    return tf.stop_gradient(tf.minimum(exponent, high))


def quantize_weights(values, exponent):
    """Returns integers in `[-127, 127]`, `round(values * 2**exponent)`."""
    scaled = values * power_of_two(exponent)
    return round_half_up(tf.clip_by_value(scaled, -127.0, 127.0))


def code_levels(codes, code_bits):
    """Quantizes codes to the levels of `tflm_ops/README.md`.

    Args:
        codes: float32 tensor, levels times `2**-LEARNED_EXPONENT`.
        code_bits: 1, 2, 4 or 8.

    Returns:
        float32 tensor of integers: odd levels for 1, 2 and 4 bits,
        `[-127, 127]` for 8.
    """
    scaled = codes * 2.0**LEARNED_EXPONENT
    if code_bits == 8:
        return round_half_up(clip_inwards(scaled, 127.0))
    levels = 2.0 * floor_through(scaled * 0.5) + 1.0
    return clip_inwards(levels, 2.0**code_bits - 1)


def quantize_dense(kernel, bias, input_exponent, output_exponent):
    """Quantizes a dense layer, choosing power-of-two scales by its maxima.

    Args:
        kernel: float32 tensor of shape `(num_in, num_out)`.
        bias: float32 tensor of shape `(num_out,)`.
        input_exponent: Integer, the inputs' step is `2**-input_exponent`.
        output_exponent: Integer, likewise.
    """
    low = 1 + output_exponent - input_exponent  # so that shift >= 1
    exponent = largest_exponent(kernel, low, float(MAX_WEIGHT_EXPONENT))
    acc_exponent = exponent + float(input_exponent)
    bias_exponent = tf.maximum(
        largest_exponent(bias, -MAX_BIAS_SHIFT, acc_exponent),
        acc_exponent - MAX_BIAS_SHIFT,
    )
    return QuantizedDense(
        quantize_weights(kernel, exponent),
        quantize_weights(bias, bias_exponent),
        acc_exponent - bias_exponent,
        acc_exponent - float(output_exponent),
    )


def quantize_skip(kernel, input_exponent, acc_exponent):
    """Quantizes the skip so that its sum shifts left into the accumulator.

    Args:
        kernel: float32 tensor of shape `(code_dim, block_size)`.
        input_exponent: Integer, the codes' step is `2**-input_exponent`.
        acc_exponent: Scalar tensor, the last layer's accumulator exponent.
    """
    highest = acc_exponent - float(input_exponent)
    exponent = tf.maximum(
        largest_exponent(kernel, -MAX_BIAS_SHIFT, highest),
        highest - MAX_SKIP_SHIFT,
    )
    return QuantizedSkip(quantize_weights(kernel, exponent), highest - exponent)


def accumulate(inputs, layer):
    """Emulates `integer.accumulate`."""
    bias = layer.bias * power_of_two(layer.bias_shift)
    return tf.matmul(inputs, layer.weights) + bias


def requantize(acc, shift, low):
    """Emulates `integer.requantize`."""
    scaled = acc * power_of_two(-shift)
    return tf.clip_by_value(round_half_up(scaled), low, 127.0)


def generate_blocks(levels, layers, skip=None):
    """Emulates `integer.generate_blocks`.

    Args:
        levels: float32 tensor of integers, `(num_blocks, code_dim)`.
        layers: Sequence of `QuantizedDense`.
        skip: None or `QuantizedSkip`.

    Returns:
        float32 tensor of integers in `[-127, 127]`,
        `(num_blocks, block_size)`.
    """
    hidden = levels
    for layer in layers[:-1]:
        hidden = requantize(accumulate(hidden, layer), layer.shift, 0.0)
    acc = accumulate(hidden, layers[-1])
    if skip is not None:
        acc += tf.matmul(levels, skip.weights) * power_of_two(skip.shift)
    return requantize(acc, layers[-1].shift, -127.0)


def quantize_kernel(kernel, scales):
    """FakeQuant of a generated kernel, for the stock converter to find.

    Args:
        kernel: float32 tensor of shape `(1, 1, Cin, Cout)`, integers times
            `scales`.
        scales: float32 tensor of shape `(Cout,)`, positive.
    """
    limit = 127.0 * tf.stop_gradient(scales)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -limit, limit, num_bits=8, narrow_range=True
    )


def quantize_to_steps(kernel, steps, largest):
    """FakeQuant of a stored kernel to few levels, with learned steps.

    The gradients are those of LSQ: a kernel's pass where nothing is clipped,
    and a step's are rounding errors or, where clipped, the largest level.

    Args:
        kernel: float32 tensor whose last axes are those of `steps`.
        steps: float32 tensor of rank 0, 1 or 2, positive.
        largest: Largest level, at most 127.

    Returns:
        float32 tensor of integers in `[-largest, largest]` times `steps`,
        behind a FakeQuant of 8 bits, for the stock converter to find.
    """
    levels = tf.clip_by_value(kernel / steps, -largest, largest)
    rounded = round_half_up(levels) * steps
    if not steps.shape.rank:
        limit = 127.0 * tf.stop_gradient(steps)
        return tf.quantization.fake_quant_with_min_max_vars(
            rounded, -limit, limit, num_bits=8, narrow_range=True
        )
    # The converter knows scales of the last axis only.
    scales = tf.reshape(steps, (-1,))
    size = steps.shape.num_elements()
    columns = tf.reshape(rounded, (*kernel.shape[:2], -1, size))
    return tf.reshape(quantize_kernel(columns, scales), kernel.shape)
