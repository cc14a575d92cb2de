"""Gives generated kernels one scale each, before quantization.

Behind a ReLU a channel can be made larger, and its weights in the next layer
smaller by as much ("cross-layer equalization", Nagel et al. 2019). So the next
layer, which has a scale for each channel anyway, can take up what a folded
BatchNormalization says about the sizes of channels.
"""

from __future__ import annotations

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.layers import MIN_SCALE
from keras_hypertinypw.model_graph import ModelGraph

# Of a channel that is much smaller than the others, the most that is taken
# up: it would else fill the range of all.
_MAX_GAIN = 8.0
_PASSED = {
    "AveragePooling2D",
    "Dropout",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "MaxPooling2D",
}
# Their kernels' last axes but one number the input channels.
_TAKERS = {"Conv2D", "Dense", "DepthwiseConv2D"}
_ACTIVATIONS = ("linear", "relu")


def level_scales(graph: ModelGraph) -> None:
    """Writes the one scale of a layer that has one, as it computes with it."""
    for name in _names(graph):
        codes, scale, *rest = graph.weights[name]
        size = np.maximum(np.abs(scale), MIN_SCALE).mean()
        graph.weights[name] = [codes, _signs(scale) * size, *rest]


def equalize_channels(graph: ModelGraph) -> None:
    """Moves the sizes of channels out of layers that have one scale.

    With gains `g`, clipped to a factor of 8, `scale` and bias are divided by
    them, and the next layer's weights for each channel are multiplied.

    Raises:
        ConversionError: If the layer behind cannot take them up.
    """
    for name in _names(graph):
        codes, scale, *rest = graph.weights[name]
        sizes = np.maximum(np.abs(scale), MIN_SCALE)
        size = np.exp(np.log(sizes).mean())
        gains = np.clip(sizes / size, 1 / _MAX_GAIN, _MAX_GAIN)
        if graph.config(name)["use_bias"]:
            rest[0] = rest[0] / gains
        graph.weights[name] = [codes, _signs(scale) * size, *rest]
        taker = _taker(graph, name)
        kernel, *others = graph.weights[taker]
        graph.weights[taker] = [kernel * gains[:, np.newaxis], *others]


def _names(graph: ModelGraph) -> list[str]:
    return [
        name
        for name in graph.names("HyperPointwise")
        if not graph.config(name)["per_channel"]
    ]


def _signs(scale: np.ndarray) -> np.ndarray:
    return np.where(scale < 0, np.float32(-1), np.float32(1))


def _taker(graph: ModelGraph, name: str) -> str:
    """Returns the layer that takes the sizes up."""
    config = graph.config(name)
    taker = graph.only_consumer(name)
    while taker and graph.class_name(taker) in _PASSED:
        taker = graph.only_consumer(taker)
    if taker and graph.class_name(taker) in _TAKERS:
        channels = graph.weights[taker][0].shape[-2]
        if channels == config["filters"] and (
            config["activation"] in _ACTIVATIONS
        ):
            return taker
    received = "nothing, or several layers"
    if taker:
        received = f"'{taker}' of type {graph.class_name(taker)}"
    raise ConversionError(
        f"Layer '{name}' with per_channel=False: expected activation None or "
        "'relu', and a convolution or Dense layer of its channels behind it. "
        f"Received: activation={config['activation']!r} and {received}. Give "
        "the layer per_channel=True."
    )
