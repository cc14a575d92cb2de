"""Rewrites before quantization: 1-D to 2-D, batch norms and ReLUs folded."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.model_graph import ModelGraph

# Layers that keep weights and meaning when a singleton axis is appended to
# the spatial ones: (batch, samples, channels) -> (batch, samples, 1, channels).
_ANY_RANK = {
    "Activation",
    "Add",
    "BatchNormalization",
    "Concatenate",
    "Dropout",
    "HyperPointwise",
    "InputLayer",
    "LeakyReLU",
    "ReLU",
    "Softmax",
    "SpatialDropout1D",
}
_WINDOWED = {
    "Conv1D": ("Conv2D", "kernel_size"),
    "DepthwiseConv1D": ("DepthwiseConv2D", "kernel_size"),
    "MaxPooling1D": ("MaxPooling2D", "pool_size"),
    "AveragePooling1D": ("AveragePooling2D", "pool_size"),
}
_GLOBAL = {
    "GlobalAveragePooling1D": "GlobalAveragePooling2D",
    "GlobalMaxPooling1D": "GlobalMaxPooling2D",
    "Flatten": "Flatten",
}
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
        )
        if not foldable:
            raise ConversionError(
                f"Layer '{name}': expected a BatchNormalization directly "
                "after a linear convolution that nothing else reads. "
                f"Received: '{source}' of type {graph.class_name(source)}. "
                "Move the normalization behind a convolution, or remove it."
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


def fold_relus(graph: ModelGraph) -> None:
    """Moves a ReLU that follows a HyperPointwise into its `activation`.

    tfmot does this for ordinary layers only, and without it the quantizer
    would sit between the two and TFLite could not fuse them.
    """
    for name in graph.names("HyperPointwise"):
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
    return {None: "relu", 6.0: "relu6"}.get(config["max_value"])


def unfold_1d(graph: ModelGraph) -> None:
    """Rewrites a 1-D network in 2-D layers over `(samples, 1, channels)`.

    tfmot and TFLite have no 1-D convolution of their own. The axis of length
    1 comes last, so that a strided depthwise convolution may keep equal
    strides on both axes, which TensorFlow demands.

    Raises:
        ConversionError: If a layer has no 2-D form here.
    """
    has_1d = {graph.class_name(name) for name in graph.layers} & {
        *_WINDOWED,
        *_GLOBAL,
    } - {"Flatten"}
    if not has_1d:
        return
    flat: set[str] = set()
    for name in list(graph.layers):
        class_name = graph.class_name(name)
        if any(source in flat for source in graph.inputs_of(name)):
            flat.add(name)
        elif class_name == "InputLayer":
            _append_axis(graph, name)
        elif class_name in _WINDOWED:
            _widen_window(graph, name, class_name)
        elif class_name in _GLOBAL:
            _set_class(graph, name, _GLOBAL[class_name])
            flat.add(name)
        elif class_name not in _ANY_RANK:
            supported = sorted({*_ANY_RANK, *_WINDOWED, *_GLOBAL})
            raise ConversionError(
                f"Layer '{name}': expected a layer that a 1-D network can be "
                f"rewritten with: {', '.join(supported)}. Received: "
                f"{class_name}. Build the network in 2-D layers over "
                "(samples, 1, channels) instead."
            )
        elif class_name == "SpatialDropout1D":
            _set_class(graph, name, "SpatialDropout2D")
        elif class_name == "HyperPointwise":
            stride = graph.config(name)["strides"][0]
            graph.config(name)["strides"] = (stride, 1)


def _append_axis(graph: ModelGraph, name: str) -> None:
    shape = graph.config(name)["batch_input_shape"]
    if len(shape) != 3:
        return
    config = {
        "name": f"{name}_2d",
        "trainable": True,
        "dtype": "float32",
        "target_shape": (shape[1] or -1, 1, shape[2]),
    }
    graph.insert_after(name, "Reshape", config)


def _widen_window(graph: ModelGraph, name: str, class_name: str) -> None:
    config = graph.config(name)
    if config.get("data_format", "channels_last") != "channels_last":
        raise ConversionError(
            f"Layer '{name}': expected data_format='channels_last'. "
            f"Received: {config['data_format']!r}. TFLite has no other."
        )
    new_class, window = _WINDOWED[class_name]
    if config.get("padding") == "causal":
        raise ConversionError(
            f"Layer '{name}': expected padding 'same' or 'valid'. Received: "
            "'causal'. Put a ZeroPadding before a 'valid' convolution in 2-D."
        )
    stride = _first(config["strides"])
    depthwise = new_class == "DepthwiseConv2D"
    config[window] = (_first(config[window]), 1)
    config["strides"] = (stride, stride if depthwise else 1)
    if "dilation_rate" in config:
        config["dilation_rate"] = (_first(config["dilation_rate"]), 1)
    _set_class(graph, name, new_class)
    weights = graph.weights[name]
    if weights:
        graph.weights[name] = [weights[0][:, None], *weights[1:]]


def _set_class(graph: ModelGraph, name: str, class_name: str) -> None:
    graph.layers[name]["class_name"] = class_name
    graph.layers[name].pop("build_config", None)


def _first(value: Any) -> int:
    return value[0] if isinstance(value, (list, tuple)) else value
