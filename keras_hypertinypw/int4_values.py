"""Four-bit weights: two in a byte, and the step that loses least."""

from __future__ import annotations

import numpy as np

from keras_hypertinypw import checks
from keras_hypertinypw.spec import pack_fields

INT4_BITS = 4
# Of the stored kernels that a network can be trained with.
KERNEL_BITS = (8, INT4_BITS)
# What a nibble holds, and what new weights use of it: symmetric, as int8
# kernels leave -128 out.
INT4_MIN, INT4_MAX = -8, 7
# Steps to try, as fractions of the largest weight. The whole numbers find
# grids that are there already; larger ones clip the largest weights.
_DIVISORS = (*range(INT4_MAX, 0, -1), *np.linspace(7.25, 16, 36))
_REFINEMENTS = 3


def require_kernel_steps(kernel_bits: int, *, kernel_per_channel: bool) -> None:
    """Checks what kernels are to be trained with.

    Args:
        kernel_bits: Of stored kernels.
        kernel_per_channel: Whether each output channel has a step of its own.

    Raises:
        ValueError: If stored kernels cannot be trained so.
    """
    checks.one_of("kernel_bits", kernel_bits, KERNEL_BITS)
    if not kernel_per_channel and kernel_bits != INT4_BITS:
        raise ValueError(
            "Expected `kernel_bits` to be 4, where all channels of a kernel "
            f"have one step. Received: kernel_bits={kernel_bits} and "
            "kernel_per_channel=False. Give kernel_bits=4, or "
            "kernel_per_channel=True."
        )


def pack_nibbles(values: np.ndarray) -> bytes:
    """Packs int8 values in `[-8, 7]`, the first into the lower half.

    An odd number of values leaves the last upper half zero.
    """
    return pack_fields(values.astype(np.int32) & 0xF, INT4_BITS)


def unpack_nibbles(data: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` int8 values; inverts `pack_nibbles`.

    Args:
        data: uint8 array of `(count + 1) // 2` bytes.
        count: Number of values.
    """
    halves = np.stack([data & 0xF, data >> 4], axis=-1).reshape(-1)[:count]
    return (halves.astype(np.int8) ^ 8) - 8


def fits_int4(values: np.ndarray) -> bool:
    """Tells whether all values are in `[-8, 7]`."""
    return bool(((values >= INT4_MIN) & (values <= INT4_MAX)).all())


def quantize_int4(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Returns int8 values in `[-7, 7]`: nearest steps, ties upwards.

    Args:
        values: float64 array of shape `(num_values, num_channels)`.
        steps: float64 array of shape `(num_channels,)`, positive.
    """
    nearest = np.floor(values / steps + 0.5)
    return np.clip(nearest, -INT4_MAX, INT4_MAX).astype(np.int8)


def fit_steps(values: np.ndarray) -> np.ndarray:
    """Returns the step of each channel that squares the least error.

    The best of a list of steps, each moved to the least squares of what it
    rounds to. Values that lie on a grid of 15 levels find that grid.

    Args:
        values: float64 array of shape `(num_values, num_channels)`.

    Returns:
        float64 array of shape `(num_channels,)`; 1 where all values are 0.
    """
    largest = np.abs(values).max(axis=0)
    largest = np.where(largest > 0, largest, float(INT4_MAX))
    best = largest / INT4_MAX
    least = _squared_error(values, best)
    for divisor in _DIVISORS:
        steps = largest / divisor
        for _ in range(_REFINEMENTS):
            error = _squared_error(values, steps)
            better = error < least
            best = np.where(better, steps, best)
            least = np.where(better, error, least)
            levels = quantize_int4(values, steps).astype(np.float64)
            power = (levels**2).sum(axis=0)
            product = (values * levels).sum(axis=0)
            steps = np.where(power > 0, product / np.maximum(power, 1), steps)
    return best


def _squared_error(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return ((values - quantize_int4(values, steps) * steps) ** 2).sum(axis=0)
