"""What a Keras model has to be before it can be rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.tfmot import tfmot


def require_functional(model: Any) -> None:
    """Checks that a model can be read as a graph.

    Raises:
        TypeError: If it is not a tf_keras model.
        ConversionError: If it is subclassed or not built.
    """
    if not isinstance(model, keras.Model):
        module = type(model).__module__
        hint = (
            "It is a Keras 3 model: build it with `import tf_keras as keras`"
            if module.startswith("keras.")
            else "Pass a `tf_keras.Model`"
        )
        raise TypeError(
            f"Expected a tf_keras model. Received: {type(model).__name__} "
            f"from {module}. {hint}."
        )
    is_graph = isinstance(model, keras.Sequential) or model._is_graph_network
    if not is_graph or not model.built or not model.inputs:
        raise ConversionError(
            f"Expected a built functional or sequential model. Received: "
            f"'{model.name}' of type {type(model).__name__}. Build it from "
            "`keras.Input`."
        )


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model and of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


def require_float_layers(model: keras.Model) -> None:
    """Checks that a model computes in float32 and is not quantized.

    Raises:
        ConversionError: If a layer is of another type.
    """
    for layer in all_layers(model):
        is_input = isinstance(layer, keras.layers.InputLayer)
        if not is_input and layer.compute_dtype != "float32":
            raise ConversionError(
                f"Layer '{layer.name}': expected float32. Received: "
                f"{layer.compute_dtype}. Build the model with "
                "`dtype='float32'` and without mixed precision."
            )
        if type(layer).__module__.startswith(tfmot.__name__):
            raise ConversionError(
                f"Layer '{layer.name}': expected a float model. Received: a "
                f"{type(layer).__name__}. Pass the model that `quantize_model` "
                "was called with before."
            )
