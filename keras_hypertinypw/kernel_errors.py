"""How far kernels are from what they stand for, by layer."""

from __future__ import annotations

import numpy as np
import tf_keras as keras

from keras_hypertinypw.quantization import find_layers


def relative_error(kernel: np.ndarray, reference: np.ndarray) -> float:
    """Returns `||kernel - reference|| / ||reference||`, Frobenius norms.

    0 is equal, 1 is as far as a kernel of zeros. A reference of zeros has no
    scale to measure in: the error is then 0 or infinite.

    Args:
        kernel: Array of any shape.
        reference: Array of the same shape.
    """
    distance = np.linalg.norm(np.subtract(kernel, reference))
    norm = np.linalg.norm(reference)
    if norm:
        return float(distance / norm)
    return float("inf") if distance else 0.0


def synthesis_errors(model: keras.Model) -> dict[str, float]:
    """Returns what integers cost: each layer's relative error by layer name.

    The kernel that the device synthesizes is compared with the one that the
    same codes, generator weights and scales give before they are rounded.
    1-bit and 2-bit codes are no rounding of real ones, so codes are taken as
    they are stored.

    Args:
        model: A quantized model.
    """
    errors = {}
    for layer in find_layers(model):
        integers = layer.kernel.numpy()
        layer.generator.quantized = False
        try:
            real = layer.kernel.numpy()
        finally:
            layer.generator.quantized = True
        errors[layer.name] = relative_error(integers, real)
    return errors
