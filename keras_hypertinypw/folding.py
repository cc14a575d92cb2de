"""Folds what follows a convolution into it, before quantization."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.model_graph import ModelGraph

_WITH_KERNEL = ("Conv2D", "DepthwiseConv2D", "HyperPointwise")


def fold_batch_norms(graph: ModelGraph) -> None:
    """Folds each BatchNormalization into the convolution before it.

    With `f = gamma / sqrt(variance + epsilon)`, a stored kernel is multiplied
    by `f` per output channel, a generated one keeps its codes and multiplies
    its `scale`; the bias becomes `beta + (bias - mean) * f`.
    """
    for name in graph.names("BatchNormalization"):
        (source,) = graph.inputs_of(name)
        foldable = (
            graph.class_name(source) in _WITH_KERNEL
            and graph.config(source)["activation"] == "linear"
            and graph.only_consumer(source) == name
            and graph.config(name)["axis"] == [-1]
        )
        if not foldable:
            raise ConversionError(
                f"Layer '{name}': expected a BatchNormalization directly "
                "after a linear convolution that nothing else reads, over "
                f"the last axis. Received: '{source}' of type "
                f"{graph.class_name(source)}. Move the normalization behind "
                "a convolution, or remove it."
            )
        _fold_batch_norm(graph, source, name)
        graph.remove(name)


def _fold_batch_norm(graph: ModelGraph, source: str, name: str) -> None:
    config = graph.config(name)
    values = list(graph.weights[name])
    gamma = values.pop(0) if config["scale"] else 1.0
    beta = values.pop(0) if config["center"] else 0.0
    mean, variance = values
    factor = gamma / np.sqrt(variance + config["epsilon"])
    source_config = graph.config(source)
    weights = list(graph.weights[source])
    is_generated = graph.class_name(source) == "HyperPointwise"
    if is_generated:
        weights[1] = weights[1] * factor  # `scale`: codes, scale, bias, ...
    elif graph.class_name(source) == "DepthwiseConv2D":
        weights[0] = weights[0] * factor.reshape(weights[0].shape[2:])
    else:
        weights[0] = weights[0] * factor
    position = 2 if is_generated else 1
    bias = weights.pop(position) if source_config["use_bias"] else 0.0
    weights.insert(position, beta + (bias - mean) * factor)
    source_config["use_bias"] = True
    graph.weights[source] = weights


def fold_relus(graph: ModelGraph, class_name: str = "HyperPointwise") -> None:
    """Moves a ReLU that follows a layer of a class into its `activation`.

    Without it the quantizer would sit between the two, and TFLite could not
    fuse them. tfmot itself joins ordinary layers to a ReLU, but leaves the
    kernels of those unquantized until conversion.
    """
    for name in graph.names(class_name):
        config = graph.config(name)
        reader = graph.only_consumer(name)
        if reader is None or config["activation"] != "linear":
            continue
        activation = _relu_name(graph.class_name(reader), graph.config(reader))
        if activation:
            config["activation"] = activation
            graph.remove(reader)


def _relu_name(class_name: str, config: dict[str, Any]) -> str | None:
    if class_name == "Activation":
        name = config["activation"]
        return name if name in ("relu", "relu6") else None
    if class_name != "ReLU" or config["negative_slope"] or config["threshold"]:
        return None
    if config["max_value"] is None:
        return "relu"
    # A numpy scalar, if the layer was made with one.
    return "relu6" if float(config["max_value"]) == 6.0 else None


def require_channels_last(graph: ModelGraph) -> None:
    """Checks the order of axes.

    Raises:
        ConversionError: If a layer has its channels elsewhere.
    """
    for name in graph.layers:
        data_format = graph.config(name).get("data_format") or "channels_last"
        if data_format != "channels_last":
            raise ConversionError(
                f"Layer '{name}': expected data_format='channels_last'. "
                f"Received: {data_format!r}. TFLite has no other."
            )
