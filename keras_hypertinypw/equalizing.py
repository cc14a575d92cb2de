"""Gives kernels one scale each, before quantization.

Behind a ReLU a channel can be made larger, and its weights in the next layer
smaller by as much ("cross-layer equalization", Nagel et al. 2019, "Data-Free
Quantization Through Weight Equalization and Bias Correction"). A folded
BatchNormalization makes channels of many sizes, for which one scale is coarse.
"""

from __future__ import annotations

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.layers import MIN_SCALE
from keras_hypertinypw.model_graph import ModelGraph

# Of a channel that is much smaller than the others, the most that is taken
# up: it would else fill the range of all.
_MAX_GAIN = 8.0
_ROUNDS = 10
_PASSED = {
    "AveragePooling2D",
    "Dropout",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "MaxPooling2D",
    "ZeroPadding2D",
}
# Their kernels' last axes but one number the input channels.
_TAKERS = {"Conv2D", "Dense", "DepthwiseConv2D"}
_STORED = {"Conv2D", "DepthwiseConv2D"}
_ACTIVATIONS = ("linear", "relu")


def level_scales(graph: ModelGraph) -> None:
    """Writes the one scale of a layer that has one, as it computes with it."""
    for name in _names(graph):
        codes, scale, *rest = graph.weights[name]
        size = np.maximum(np.abs(scale), MIN_SCALE).mean()
        graph.weights[name] = [codes, _signs(scale) * size, *rest]


def equalize_channels(graph: ModelGraph) -> None:
    """Moves the sizes of channels out of generated kernels of one scale.

    That one is the geometric mean of sizes that are no more than a factor of
    8 from their median. With gains `g`, what a channel has of it, `scale` and
    bias are divided by them, and the next layer's weights for each channel are
    multiplied: it has a scale for each, as a rule. Channels of less than an
    eighth of the mean get an eighth, the only change of what the network
    computes: their bias, as large as before, would else fill the range of all.

    Raises:
        ConversionError: If the layer behind cannot take them up.
    """
    for name in _names(graph):
        codes, scale, *rest = graph.weights[name]
        sizes = np.maximum(np.abs(scale), MIN_SCALE)
        size = _middle(sizes)
        gains = np.maximum(sizes / size, 1 / _MAX_GAIN)
        if graph.config(name)["use_bias"]:
            rest[0] = rest[0] / gains
        graph.weights[name] = [codes, _signs(scale) * size, *rest]
        _take_up(graph, _require_taker(graph, name), gains)


def _middle(sizes: np.ndarray) -> np.floating:
    """Returns a mean of positive sizes, but for those that stand out."""
    ratios = sizes / np.median(sizes)
    near = (ratios >= 1 / _MAX_GAIN) & (ratios <= _MAX_GAIN)
    return np.exp(np.log(sizes[near]).mean())


def equalize_stored(graph: ModelGraph) -> None:
    """Balances the channels of stored kernels that have one scale each.

    Between two such layers a channel is divided by
    `sqrt(size behind the first / size before the second)`, times one factor
    for all of them; sizes are root mean squares of weights. Since each layer
    is in two pairs, that is repeated. All in all no channel changes by more
    than a factor of 8. Where the layer behind is another one, nothing changes.
    """
    pairs = {
        name: taker
        for name in graph.layers
        if graph.class_name(name) in _STORED
        and (taker := _taker(graph, name))
        and _takes_up(graph, name, taker)
    }
    totals = {name: np.ones(_num_channels(graph, name)) for name in pairs}
    for _ in range(_ROUNDS):
        for name, taker in pairs.items():
            before = totals[name]
            totals[name] = np.clip(
                before * _balance(graph, name, taker), 1 / _MAX_GAIN, _MAX_GAIN
            )
            gains = (totals[name] / before).astype(np.float32)
            kernel, *bias = graph.weights[name]
            columns = kernel.reshape(-1, gains.size) / gains
            graph.weights[name] = [
                columns.reshape(kernel.shape),
                *(values / gains for values in bias),
            ]
            _take_up(graph, taker, gains)


def _balance(graph: ModelGraph, name: str, taker: str) -> np.ndarray:
    """Returns what to divide channels by, of a median of 1."""
    columns = graph.weights[name][0].reshape(-1, _num_channels(graph, name))
    rows = np.moveaxis(graph.weights[taker][0], -2, 0)
    behind = np.square(columns).mean(axis=0)
    ahead = np.square(rows.reshape(len(rows), -1)).mean(axis=1)
    least = MIN_SCALE**2
    ratios = (np.maximum(behind, least) / np.maximum(ahead, least)) ** 0.25
    return ratios / np.median(ratios)


def _names(graph: ModelGraph) -> list[str]:
    return [
        name
        for name in graph.names("HyperPointwise")
        if not graph.config(name)["per_channel"]
    ]


def _signs(scale: np.ndarray) -> np.ndarray:
    return np.where(scale < 0, np.float32(-1), np.float32(1))


def _take_up(graph: ModelGraph, taker: str, gains: np.ndarray) -> None:
    kernel, *others = graph.weights[taker]
    graph.weights[taker] = [kernel * gains[:, np.newaxis], *others]


def _require_taker(graph: ModelGraph, name: str) -> str:
    """Returns the layer that takes the sizes up."""
    taker = _taker(graph, name)
    if taker and _takes_up(graph, name, taker):
        return taker
    received = "nothing, or several layers"
    if taker:
        received = f"'{taker}' of type {graph.class_name(taker)}"
    activation = graph.config(name)["activation"]
    raise ConversionError(
        f"Layer '{name}' with per_channel=False: expected activation None or "
        "'relu', and behind it a DepthwiseConv2D, Conv2D or Dense layer that "
        f"takes its channels. Received: activation={activation!r} and "
        f"{received}. Give the layer per_channel=True, and train the float "
        "model again."
    )


def _taker(graph: ModelGraph, name: str) -> str | None:
    """Returns the layer behind, past those that sizes go through."""
    taker = graph.only_consumer(name)
    while taker and graph.class_name(taker) in _PASSED:
        taker = graph.only_consumer(taker)
    return taker


def _takes_up(graph: ModelGraph, name: str, taker: str) -> bool:
    """Tells whether a layer can take up the sizes of another's channels."""
    return (
        graph.class_name(taker) in _TAKERS
        and graph.config(name)["activation"] in _ACTIVATIONS
        and graph.weights[taker][0].shape[-2] == _num_channels(graph, name)
    )


def _num_channels(graph: ModelGraph, name: str) -> int:
    """Returns how many outputs a convolution has."""
    kernel = graph.weights[name][0]
    if graph.class_name(name) == "DepthwiseConv2D":
        return kernel.shape[-2] * kernel.shape[-1]
    return graph.config(name)["filters"]
