"""Gives the pointwise convolutions of an existing model a generator."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw import checks
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.inlining import read_graph
from keras_hypertinypw.keras_checks import (
    all_layers,
    require_float_layers,
    require_functional,
)
from keras_hypertinypw.kernel_errors import relative_error
from keras_hypertinypw.kernel_fitting import fit_kernels
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.model_graph import ModelGraph
from keras_hypertinypw.quantization import find_layers
from keras_hypertinypw.separable import split_separable

_POINTWISE = ("Conv1D", "Conv2D")


def swap_pointwise(
    model: keras.Model,
    *,
    generator: BaseGenerator,
    keep_first: int = 1,
    fit_steps: int = 1000,
) -> keras.Model:
    """Returns a model whose pointwise convolutions are generated.

    A pointwise convolution is a Conv1D or Conv2D with a kernel of 1, or the
    second half of a SeparableConv. It becomes a `HyperPointwise` of the same
    name. Codes, scales and generator are fitted so that the generated
    kernels approximate the old ones; all other weights stay. The relative
    errors are shown on stderr by layer, and `swap_errors` returns them. They
    are large: trained kernels look much like noise, of which a few codes hold
    little. So train the model on, in float, before `quantize_model`; that
    also brings the statistics of batch norms back in line.

    Stored remain: the first `keep_first` pointwise convolutions, those with
    no layer with weights behind them (the classifier's head, and with it
    every Dense), and those smaller than a block of the generator.

    Args:
        model: A built functional or sequential tf_keras model, float, with
            any number of inputs and outputs; it is not changed. Layers may be
            shared; models inside it become their layers.
        generator: Shared by all swapped layers. If it is built, since another
            model uses it, only codes and scales are fitted.
        keep_first: Number of pointwise convolutions that stay stored, from
            the input.
        fit_steps: Steps of the fit. With 0 codes and generator keep their
            initial values; only the scales are fitted.

    Returns:
        A functional model, not compiled.

    Raises:
        TypeError: If `model` is not a tf_keras model, or `generator` no
            generator.
        ConversionError: If the model cannot be read as a graph of float
            layers, or no pointwise convolution is left to swap.
        ValueError: If a number is out of range.
    """
    checks.instance("generator", generator, BaseGenerator)
    keep_first = checks.non_negative_int("keep_first", keep_first)
    fit_steps = checks.non_negative_int("fit_steps", fit_steps)
    require_functional(model)
    require_float_layers(model)
    graph = read_graph(model)
    split_separable(graph)
    fit_generator = not generator.built
    kernels = {
        _generated_layer(graph, name, generator): graph.weights[name][0]
        for name in _choose_names(graph, generator, keep_first)
    }
    fit_kernels(kernels, steps=fit_steps, fit_generator=fit_generator)
    for layer in kernels:
        graph.replace(layer.name, layer, layer.get_weights())
    for layer in [*kernels, *find_layers(model)]:
        # The very generator, not a copy of it.
        if layer.generator is generator:
            graph.config(layer.name)["generator"] = generator
    swapped = graph.build_model()
    for name, error in swap_errors(model, swapped).items():
        tqdm.write(f"{name}: relative error {error:.3f}", file=sys.stderr)
    return swapped


def swap_errors(model: keras.Model, swapped: keras.Model) -> dict[str, float]:
    """Returns the relative error of each swapped kernel by layer name.

    It is `||generated - stored|| / ||stored||`: 0 is equal, 1 is no better
    than zeros.

    Args:
        model: The model before `swap_pointwise`.
        swapped: What it returned, trained further or not.
    """
    old_layers = {layer.name: layer for layer in all_layers(model)}
    errors = {}
    for layer in find_layers(swapped):
        stored = old_layers[layer.name]
        if isinstance(stored, HyperPointwise):
            continue
        kernel = getattr(stored, "pointwise_kernel", None)
        kernel = stored.kernel if kernel is None else kernel
        errors[layer.name] = relative_error(
            layer.kernel.numpy().reshape(kernel.shape), kernel.numpy()
        )
    return errors


def _choose_names(
    graph: ModelGraph, generator: BaseGenerator, keep_first: int
) -> list[str]:
    pointwise = [name for name in graph.layers if _is_pointwise(graph, name)]
    bodies = [name for name in pointwise if not _is_head(graph, name)]
    behind = bodies[keep_first:]
    chosen = [
        name
        for name in behind
        if graph.weights[name][0].size >= generator.block_size
    ]
    if not chosen:
        raise ConversionError(
            "Expected a pointwise convolution to swap. Received: a model with "
            f"{len(pointwise)}; {len(pointwise) - len(bodies)} make its "
            f"answer, keep_first={keep_first} keeps "
            f"{len(bodies) - len(behind)}, and {len(behind)} have fewer "
            f"weights than the generator's block_size={generator.block_size}. "
            "Lower `keep_first`, or build the generator with a smaller "
            "`block_size`."
        )
    return chosen


def _is_pointwise(graph: ModelGraph, name: str) -> bool:
    if graph.class_name(name) not in _POINTWISE:
        return False
    config = graph.config(name)
    channels_last = config["data_format"] != "channels_first"
    is_1x1 = set(config["kernel_size"]) == {1}
    return is_1x1 and channels_last and config["groups"] == 1


def _is_head(graph: ModelGraph, name: str) -> bool:
    """Tells whether no layer with a kernel is behind `name`."""
    reached, waiting = set(), [name]
    while waiting:
        for reader in graph.readers_of(waiting.pop()):
            if any(weight.ndim > 1 for weight in graph.weights[reader]):
                return False
            if reader not in reached:
                reached.add(reader)
                waiting.append(reader)
    return True


def _generated_layer(
    graph: ModelGraph, name: str, generator: BaseGenerator
) -> HyperPointwise:
    """Returns a built layer for a convolution, its kernel not fitted yet."""
    config: dict[str, Any] = graph.config(name)
    kernel, *bias = graph.weights[name]
    strides = config["strides"]
    layer = HyperPointwise(
        config["filters"],
        generator,
        strides=strides[0] if len(strides) == 1 else strides,
        activation=config["activation"],
        use_bias=config["use_bias"],
        bias_initializer=config["bias_initializer"],
        bias_regularizer=config["bias_regularizer"],
        name=name,
        dtype=config["dtype"],
        trainable=config["trainable"],
    )
    with tf.name_scope(name):
        layer.build((None,) * (kernel.ndim - 1) + kernel.shape[-2:-1])
    if bias:
        layer.bias.assign(bias[0])
    return layer
