"""Gives the pointwise convolutions of an existing model a generator."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw import checks
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.inlining import read_graph
from keras_hypertinypw.keras_checks import (
    require_float_layers,
    require_functional,
)
from keras_hypertinypw.kernel_errors import relative_error
from keras_hypertinypw.kernel_fitting import fit_kernels
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.model_graph import ModelGraph
from keras_hypertinypw.quantization import find_generators, find_layers
from keras_hypertinypw.separable import split_separable

_POINTWISE = ("Conv1D", "Conv2D")
# Their weights may be of rank 2 and more.
_WITHOUT_KERNEL = ("LayerNormalization", "Normalization", "PReLU")


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
    name, trainable whatever it was. Codes, scales and generator are fitted so
    that the generated kernels approximate the old ones; all other weights
    stay, regularizers and constraints of the old kernels go. The relative
    errors are shown on stderr by layer, and `swap_errors` returns them. They
    are large: trained kernels look much like noise, of which a few codes hold
    little. So train the model on, in float, before `quantize_model`; that
    also brings the statistics of batch norms back in line.

    Stored remain: the first `keep_first` pointwise convolutions in the order
    of `model.layers`, those that make the model's answer (nothing with a
    kernel reads them, or the model itself does), every Dense, and what is
    smaller than a block of the generator.

    Args:
        model: A built functional or sequential tf_keras model, float, with
            any number of inputs and outputs; it is not changed. Layers may be
            shared, which `quantize_model` refuses; models inside it become
            their layers.
        generator: Shared by all swapped layers. If it is built, since another
            model uses it, only codes and scales are fitted.
        keep_first: Number of pointwise convolutions that stay stored.
        fit_steps: Steps of the fit. With 0 codes and generator keep their
            initial values; only the scales are fitted.

    Returns:
        A functional model, not compiled.

    Raises:
        TypeError: If `model` is not a tf_keras model, or `generator` no
            generator.
        ConversionError: If the model cannot be read as a graph of float
            layers, has another generator of that name or kernels that are
            not finite, or no pointwise convolution is left to swap.
        ValueError: If a number is out of range.
    """
    checks.instance("generator", generator, BaseGenerator)
    keep_first = checks.non_negative_int("keep_first", keep_first)
    fit_steps = checks.non_negative_int("fit_steps", fit_steps)
    require_functional(model)
    require_float_layers(model)
    _require_fitting_generator(model, generator)
    graph = read_graph(model)
    split_separable(graph)
    names = _choose_names(graph, generator, keep_first)
    _require_finite(graph, names)
    # A copy, so that what is interrupted leaves the generator as it was.
    fitted = generator
    if not generator.built:
        fitted = type(generator).from_config(generator.get_config())
    kernels = {
        _generated_layer(graph, name, fitted): graph.weights[name][0]
        for name in names
    }
    fit_kernels(kernels, steps=fit_steps, fit_generator=fitted is not generator)
    if fitted is not generator:
        with tf.name_scope(generator.name):
            generator.build((None, generator.code_dim))
        generator.set_weights(fitted.get_weights())
    for layer, kernel in kernels.items():
        graph.replace(layer.name, layer, layer.get_weights())
        error = _swap_error(layer, kernel)
        tqdm.write(f"{layer.name}: relative error {error:.3f}", file=sys.stderr)
    used = [
        layer for layer in find_layers(model) if layer.generator is generator
    ]
    for layer in [*kernels, *used]:
        # The very generator, not a copy of it.
        graph.config(layer.name)["generator"] = generator
    return graph.build_model()


def swap_errors(model: keras.Model, swapped: keras.Model) -> dict[str, float]:
    """Returns the relative error of each swapped kernel by layer name.

    It is `||generated - stored|| / ||stored||`: 0 is equal, 1 is no better
    than zeros.

    Args:
        model: The model before `swap_pointwise`.
        swapped: What it returned, trained further or not.
    """
    graph = read_graph(model)
    split_separable(graph)
    errors = {}
    for layer in find_layers(swapped):
        if layer.name not in graph.layers:
            raise ValueError(
                "Expected `swapped` as `swap_pointwise(model, ...)` returned "
                f"it. Received: layer '{layer.name}', which `model` has not. "
                "Pass the model that was swapped."
            )
        if graph.class_name(layer.name) in _POINTWISE:
            kernel = graph.weights[layer.name][0]
            errors[layer.name] = _swap_error(layer, kernel)
    return errors


def _swap_error(layer: HyperPointwise, kernel: np.ndarray) -> float:
    return relative_error(layer.kernel.numpy().reshape(kernel.shape), kernel)


def _require_fitting_generator(
    model: keras.Model, generator: BaseGenerator
) -> None:
    if generator.compute_dtype != "float32":
        raise ConversionError(
            f"Generator '{generator.name}': expected float32. Received: "
            f"{generator.compute_dtype}. Build it without mixed precision."
        )
    for other in find_generators(model):
        if other is not generator and other.name == generator.name:
            raise ConversionError(
                f"Generator '{generator.name}': expected a name of its own. "
                "Received: that of another generator in the model, which "
                "saving and loading could not tell apart. Pass that one, or "
                "give this one another `name`."
            )


def _require_finite(graph: ModelGraph, names: list[str]) -> None:
    for name in names:
        finite = np.isfinite(graph.weights[name][0])
        if not finite.all():
            raise ConversionError(
                f"Layer '{name}': expected a finite kernel to fit. Received: "
                f"{np.sum(~finite)} NaN or infinite weights. Training "
                "diverged: go back to an earlier checkpoint."
            )


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
    """Tells whether `name` makes the model's answer."""
    if name in graph.output_names:
        return True
    reached, waiting = set(), [name]
    while waiting:
        for reader in graph.readers_of(waiting.pop()):
            is_kernel = any(w.ndim > 1 for w in graph.weights[reader])
            if is_kernel and graph.class_name(reader) not in _WITHOUT_KERNEL:
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
        dtype="float32",
    )
    with tf.name_scope(name):
        layer.build((None,) * (kernel.ndim - 1) + kernel.shape[-2:-1])
    if bias:
        layer.bias.assign(bias[0])
    return layer
