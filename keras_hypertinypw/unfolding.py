"""Rewrites 1-D networks in 2-D layers, before quantization."""

from __future__ import annotations

from typing import Any

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
