"""The activations' ranges of a quantized model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.tfmot import tfmot

_RANGE_DECAY = 0.999  # Of tfmot's MovingAverageQuantizer.
_DROPOUTS = ("Dropout", "Dropout1D", "Dropout2D")
_AllValuesQuantizer = tfmot.quantization.keras.quantizers.AllValuesQuantizer


def calibrate(model: keras.Model, inputs: Any) -> None:
    """Sets each layer's activation range to that of `inputs`.

    Layers are set in topological order, each on what the layers before it
    give. A range starts from nothing: tfmot then moves it by a thousandth of
    the way to the batch's, and the model's inputs all the way, so what the
    batch's was follows from one step.

    Args:
        model: A quantized model.
        inputs: Array, or list of arrays, of shape `(num_inputs, ...)`.

    Raises:
        ValueError: If there are no inputs, some are not finite numbers, or
            their shape is not the model's.
    """
    inputs = tf.nest.map_structure(_require_usable, inputs)
    _require_shapes(model, inputs)

    @tf.function(autograph=False)
    def step():
        model(inputs, training=True)

    with _without_dropout(model):
        for layer in model.layers:
            ranges = _ranges(layer)
            if not ranges:
                continue
            for weight in ranges:
                weight.assign(0.0)
            step()
            quantizer = getattr(layer, "quantizer", None)
            if not isinstance(quantizer, _AllValuesQuantizer):
                for weight in ranges:
                    weight.assign(weight / (1 - _RANGE_DECAY))


@contextlib.contextmanager
def _without_dropout(model: keras.Model) -> Iterator[None]:
    """Inside it nothing is dropped, nor scaled up for what is dropped."""
    layers = [getattr(layer, "layer", layer) for layer in model.layers]
    rates = {
        layer: layer.rate
        for layer in layers
        if type(layer).__name__.endswith(_DROPOUTS)
    }
    for layer in rates:
        layer.rate = 0.0
    try:
        yield
    finally:
        for layer, rate in rates.items():
            layer.rate = rate


def require_ranges(model: keras.Model) -> None:
    """Checks that no activation's range is empty.

    Raises:
        ConversionError: If one is, as before any training or calibration.
    """
    for layer in model.layers:
        ranges = _ranges(layer)
        for low, high in zip(ranges[::2], ranges[1::2], strict=True):
            if low.numpy() >= high.numpy():
                raise ConversionError(
                    f"Layer '{layer.name}': expected a range of activations "
                    f"to quantize. Received: [{low.numpy()}, {high.numpy()}]. "
                    "Train the quantized model, or call `quantize_model` with "
                    "`calibration_data`; if you did, the layer's outputs are "
                    "all zero."
                )


def _ranges(layer: keras.layers.Layer) -> list[tf.Variable]:
    """Returns the variables of activation ranges: minimum, maximum, ..."""
    return [
        weight
        for weight in layer.non_trainable_weights
        if weight.name.endswith(("_min:0", "_max:0"))
        and "kernel" not in weight.name.split("/")[-1]
    ]


def _require_shapes(model: keras.Model, inputs: Any) -> None:
    if isinstance(inputs, dict):
        return  # Keras itself finds them by name.
    arrays = tf.nest.flatten(inputs)
    if len(arrays) != len(model.inputs):
        raise ValueError(
            "Expected `calibration_data` with an array for each of "
            f"{len(model.inputs)} inputs. Received: {len(arrays)}."
        )
    for tensor, array in zip(model.inputs, arrays, strict=True):
        if not tensor.shape.is_compatible_with(array.shape):
            expected = ", ".join(map(str, tensor.shape[1:]))
            raise ValueError(
                "Expected `calibration_data` of shape (num_inputs, "
                f"{expected}). Received: shape={array.shape}. Pass what the "
                "model takes in training."
            )


def _require_usable(inputs: Any) -> np.ndarray:
    array = np.asarray(inputs)
    numeric = array.dtype.kind in "fiub"
    if not numeric or array.ndim < 2 or not len(array):
        raise ValueError(
            "Expected `calibration_data` as real numbers of shape "
            f"(num_inputs, ...). Received: {array.dtype} of shape "
            f"{array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "Expected finite values in `calibration_data`. Received: NaN or "
            "infinity; drop those inputs."
        )
    return array.astype(np.float32)
