"""Splits separable convolutions into depthwise and pointwise ones."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.model_graph import ModelGraph

_RANKS = {"SeparableConv1D": 1, "SeparableConv2D": 2}
_DEPTHWISE_ARGUMENTS = (
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "depth_multiplier",
    "depthwise_initializer",
    "depthwise_regularizer",
    "depthwise_constraint",
)
_POINTWISE_ARGUMENTS = (
    "filters",
    "data_format",
    "activation",
    "use_bias",
    "bias_initializer",
    "bias_regularizer",
    "bias_constraint",
)
_BOTH = ("dtype", "trainable")


def split_separable(graph: ModelGraph) -> None:
    """Splits each SeparableConv into the two convolutions that it is.

    The pointwise convolution keeps the layer's name, and with it its readers;
    the depthwise one adds `_depthwise`.

    Raises:
        ConversionError: If the padding is causal.
    """
    for name in list(graph.layers):
        rank = _RANKS.get(graph.class_name(name))
        if rank:
            _split(graph, name, rank)


def _split(graph: ModelGraph, name: str, rank: int) -> None:
    config = graph.config(name)
    if config["padding"] == "causal":
        raise ConversionError(
            f"Layer '{name}': expected padding 'same' or 'valid'. Received: "
            "'causal'. Put a ZeroPadding1D before a 'valid' convolution."
        )
    depthwise_kernel, *pointwise_weights = graph.weights[name]
    depthwise = getattr(keras.layers, f"DepthwiseConv{rank}D")(
        name=graph.unused_name(f"{name}_depthwise"),
        use_bias=False,
        **_choose(config, (*_DEPTHWISE_ARGUMENTS, *_BOTH)),
    )
    pointwise = getattr(keras.layers, f"Conv{rank}D")(
        name=name,
        kernel_size=1,
        kernel_initializer=config["pointwise_initializer"],
        kernel_regularizer=config["pointwise_regularizer"],
        kernel_constraint=config["pointwise_constraint"],
        **_choose(config, (*_POINTWISE_ARGUMENTS, *_BOTH)),
    )
    graph.replace(name, pointwise, pointwise_weights)
    graph.insert_before(name, depthwise, [depthwise_kernel])


def _choose(config: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: config[name] for name in names}
