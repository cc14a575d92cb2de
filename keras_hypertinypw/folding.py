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


def unfold_1d(graph: ModelGraph) -> None:
    """Rewrites a 1-D network in 2-D layers over `(samples, 1, channels)`.

    tfmot and TFLite have no 1-D convolution of their own. The axis of length
    1 comes last, so that a strided depthwise convolution may keep equal
    strides on both axes, which TensorFlow demands. What a global pooling or
    Flatten gave, and inputs that are vectors, stay as they are.

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
        # It holds the shape of one axis less.
        graph.layers[name].pop("build_config", None)
        if class_name == "InputLayer":
            if _append_axis(graph, name):
                flat.add(name)
        elif _reads_flat(graph, name, flat):
            flat.add(name)
        elif class_name in _WINDOWED:
            _widen_window(graph, name, class_name)
        elif class_name in _GLOBAL:
            _set_class(graph, name, _GLOBAL[class_name])
            if not graph.config(name).get("keepdims"):
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
        elif class_name in ("Concatenate", "Softmax"):
            axis = graph.config(name)["axis"]
            graph.config(name)["axis"] = {2: -1, -2: 1}.get(axis, axis)
    for name, shape in graph.output_shapes.items():
        if name not in flat:
            samples, channels = shape[1:]
            target = (samples or -1, channels or -1)
            graph.insert_reshape(name, target, suffix="_1d")


def _reads_flat(graph: ModelGraph, name: str, flat: set[str]) -> bool:
    reads = {source in flat for source in graph.inputs_of(name)}
    if len(reads) == 2:
        raise ConversionError(
            f"Layer '{name}': expected all inputs with samples, or all "
            f"without. Received: {graph.inputs_of(name)}. Build the network "
            "in 2-D layers over (samples, 1, channels) instead."
        )
    return reads == {True}


def _append_axis(graph: ModelGraph, name: str) -> bool:
    """Appends the axis to an input; returns whether it has no samples."""
    shape = graph.config(name)["batch_input_shape"]
    if len(shape) > 3:
        raise ConversionError(
            f"Layer '{name}': expected inputs of rank 2 or 3 in a network "
            f"with 1-D layers. Received: {tuple(shape)}. Build the network in "
            "2-D layers over (samples, 1, channels) instead."
        )
    if len(shape) == 3:
        target = (shape[1] or -1, 1, shape[2])
        graph.insert_reshape(name, target, suffix="_2d")
    return len(shape) < 3


def _widen_window(graph: ModelGraph, name: str, class_name: str) -> None:
    config = graph.config(name)
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


def _first(value: Any) -> int:
    return value[0] if isinstance(value, (list, tuple)) else value
