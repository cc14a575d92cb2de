"""Trained model to integers: the only reader of Keras variables."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import fake_quant
from keras_hypertinypw.calibration import require_ranges
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.keras_checks import require_functional
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.quantization import find_generators, find_layers
from keras_hypertinypw.spec import (
    DenseSpec,
    GeneratorSpec,
    PointwiseSpec,
    Residency,
    Synthesis,
)


@dataclasses.dataclass(frozen=True)
class FrozenModel:
    """A trained model as integers and bytes.

    Attributes:
        specs: One `PointwiseSpec` for each HyperPointwise layer.
        dense_model: int8 `.tflite` with stored kernels, from the stock
            converter: the oracle of every later stage.
    """

    specs: tuple[PointwiseSpec, ...]
    dense_model: bytes


def freeze(
    model: keras.Model,
    *,
    inference_input_type: tf.DType = tf.int8,
    inference_output_type: tf.DType = tf.int8,
    residency: Residency = "cached",
    synthesis: Synthesis = "lazy",
) -> FrozenModel:
    """Reads a quantized model's integers and runs the stock converter once.

    Args:
        model: What `quantize_model` returned, trained.
        inference_input_type: `tf.int8` or `tf.float32`.
        inference_output_type: `tf.int8` or `tf.float32`.
        residency: "cached" keeps every kernel in the arena, "per_invoke"
            synthesizes it at every inference.
        synthesis: "lazy" at the first inference, "boot" before it.

    Raises:
        ConversionError: If the model has no HyperPointwise layer, is not
            quantized, neither trained nor calibrated, holds NaN or infinity,
            or an accumulator could overflow.
        ValueError: If residency and synthesis do not go together.
    """
    require_functional(model)
    layers = find_layers(model)
    if not layers:
        raise ConversionError(
            f"Expected at least one HyperPointwise layer. Received: model "
            f"'{model.name}' without any. Replace Conv2D(filters, 1) by "
            "HyperPointwise(filters, generator), or convert the model with "
            "tf.lite.TFLiteConverter."
        )
    _require_finite(model)
    generators = {
        generator.name: _freeze_generator(generator)
        for generator in find_generators(model)
    }
    specs = tuple(
        dataclasses.replace(
            _freeze_layer(layer, generators[layer.generator.name]),
            residency=residency,
            synthesis=synthesis,
        )
        for layer in layers
    )
    dense_model = to_dense_tflite(
        model,
        inference_input_type=inference_input_type,
        inference_output_type=inference_output_type,
    )
    return FrozenModel(specs, dense_model)


def to_dense_tflite(
    model: keras.Model,
    *,
    inference_input_type: tf.DType = tf.int8,
    inference_output_type: tf.DType = tf.int8,
) -> bytes:
    """Returns the int8 `.tflite` with stored kernels, for batches of one.

    Args:
        model: A quantized model, with or without HyperPointwise layers.
        inference_input_type: `tf.int8` or `tf.float32`.
        inference_output_type: `tf.int8` or `tf.float32`.
    """
    _require_finite(model)
    # A fixed batch lets the converter fold every shape computation.
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    if any(None in spec.shape for spec in signature):
        raise ConversionError(
            f"Model '{model.name}': expected inputs of fixed size. Received: "
            f"{[tuple(tensor.shape) for tensor in model.inputs]}. Build the "
            "model with a `keras.Input` that says every dimension."
        )

    require_ranges(model)

    def infer(*inputs):
        return model(
            inputs[0] if len(inputs) == 1 else list(inputs), training=False
        )

    function = tf.function(infer, autograph=False)
    with contextlib.ExitStack() as stack:
        for layer in find_layers(model):
            kernel, scales = layer.generate()
            stack.enter_context(
                layer.constant_kernel(kernel.numpy(), scales.numpy())
            )
        concrete = function.get_concrete_function(*signature)
    # The converter saves what it is given to keep the variables alive. Of a
    # Keras model it would trace and never free every function: five seconds
    # and a quarter of a gigabyte, for the same file.
    variables = tf.Module()
    variables.kept = list(model.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], variables
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = inference_input_type
    converter.inference_output_type = inference_output_type
    return converter.convert()


def _require_finite(model: keras.Model) -> None:
    for layer in model.layers:
        for weight in layer.weights:
            values = weight.numpy()
            finite = np.isfinite(values)
            if not finite.all():
                raise ConversionError(
                    f"Layer '{layer.name}', weight '{weight.name}' of shape "
                    f"{values.shape}: expected finite values. Received: "
                    f"{np.sum(~finite)} NaN or infinite ones. Training "
                    "diverged: lower the learning rate."
                )


def _freeze_generator(generator: BaseGenerator) -> GeneratorSpec:
    if not generator.quantized:
        raise ConversionError(
            f"Generator '{generator.name}': expected a quantized model. "
            "Received: a float one. Call `quantize_model` and train a few "
            "epochs before conversion."
        )
    layers, skip = generator.quantized_layers()
    try:
        return GeneratorSpec(
            tuple(
                DenseSpec(
                    _integers(layer.weights).T.astype(np.int8),
                    _integers(layer.bias).astype(np.int8),
                    int(layer.bias_shift),
                    int(layer.shift),
                )
                for layer in layers
            ),
            None if skip is None else _integers(skip.weights).T.astype(np.int8),
            0 if skip is None else int(skip.shift),
        )
    except ValueError as error:
        raise ConversionError(
            f"Generator '{generator.name}': {error}"
        ) from error


def _freeze_layer(
    layer: HyperPointwise, generator: GeneratorSpec
) -> PointwiseSpec:
    levels = fake_quant.code_levels(layer.codes, layer.generator.code_bits)
    return PointwiseSpec(
        layer.name,
        generator,
        _integers(levels),
        layer.generator.code_bits,
        (layer.filters, 1, 1, layer.channels),
        layer.scale.numpy() < 0,
    )


def _integers(tensor: tf.Tensor) -> np.ndarray:
    """Returns the int32 values of a float32 tensor that holds integers."""
    values = tensor.numpy()
    integers = values.astype(np.int32)
    if not np.array_equal(integers, values):
        raise ConversionError(
            "Expected fake-quantized integers. Received: fractions. This is "
            "a bug in fake_quant.py."
        )
    return integers
